from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsa.metrics.abstention import AbstentionTable, is_abstention, refusals_of
from simsa.metrics.citations import strip_citations
from simsa.records import Question

ABSTENTIONS = """
검색 결과에서 해당 내용을 찾을 수 없습니다.
검색 결과에서 가람시의 인구에 대한 정보를 찾을 수 없습니다.
검색 결과에는 해당 질문에 대한 답이 없습니다.
제공된 검색 결과에서는 온빛대교의 설계자를 확인할 수 없습니다. [[ref1]]
제공된 문서에서 답을 찾을 수 없습니다.
주어진 문서만으로는 알 수 없습니다.
주어진 정보로는 답변할 수 없습니다.
알 수 없습니다.
알 수 없음
정답: 알 수 없음
정보가 없습니다.
관련 정보가 없습니다.
해당 정보가 없습니다
문서에 언급되어 있지 않습니다.
문서에 언급되지 않았습니다.
문서에는 그의 출생지가 언급되어 있지 않습니다.
해당 인물의 생년월일은 명시되어 있지 않습니다.
본문에는 건설 비용이 나와 있지 않습니다.
본문에 나와있지 않습니다.
답변할 수 없습니다.
답변드릴 수 없습니다.
질문에 답변하기 어렵습니다.
죄송합니다. 해당 질문에 대한 정보를 찾을 수 없습니다.
죄송하지만, 제공된 문서에서 관련 내용을 찾을 수 없습니다.
죄송합니다만 주어진 자료에서는 확인되지 않습니다.
안타깝게도 문서에는 이에 대한 설명이 없습니다.
모르겠습니다.
잘 모르겠습니다.
모릅니다
그 질문에 대해서는 알지 못합니다.
주어진 문맥에서 답을 찾지 못했습니다.
검색된 문서 중에는 질문과 관련된 내용이 존재하지 않습니다.
제공된 정보만으로는 판단하기 어려우므로 답변할 수 없습니다.
문서에 정보가 없어 답변을 드릴 수 없습니다.
제시된 지문에는 이 질문에 답할 수 있는 정보가 포함되어 있지 않습니다.
주어진 컨텍스트에는 해당 내용이 포함되어 있지 않습니다.
질문에 대한 답변을 제공할 수 없습니다.
제공된 검색 결과에서 찾을 수 없었습니다. 추가로 궁금하신 점이 있으면 말씀해 주세요.
검색 결과에서 확인할 수 없으므로, 다른 자료를 참고해 주시기 바랍니다.
해당 문서에는 관련 정보가 부족합니다.
답변: 제공된 문서에는 관련 내용이 없습니다.
**정보를 찾을 수 없습니다.**
제공된 문서는 가람시의 역사를 다룹니다. 따라서 인구에 대한 정보는 찾을 수 없습니다.
문서에서 그 해의 예산은 확인할 수 없는 것으로 보입니다.
검색 결과에 해당 내용이 없네요.
문서에 답이 없어요.
질문하신 내용은 제공된 자료에서 다루고 있지 않습니다.
문서에 면적은 나와 있지만 인구는 알 수 없습니다.
이 글은 역사에 관한 것이지만 인구는 언급되어 있지 않습니다.
현재로서는 알 수 없습니다.
찾을 수 없습니다.
확인 불가
관련정보가 없습니다.
이 질문에 대해서는 잘 모르겠습니다.
답변 불가
정보 없음
제공해주신 문서에서는 해당 정보를 찾을 수가 없습니다.
제공된 문서에는 새봄마을 축제 개최 시기에 관한 정보가 포함되어 있지 않아 답변드릴 수 없습니다.
검색결과에서 관련 정보를 찾을 수 없습니다.
주어진 검색 결과로는 질문에 답할 수 없습니다.
주어진 검색 결과에는 별하천의 길이에 대한 내용이 없습니다.
주어진 문서들에서는 별하천의 길이가 언급되지 않습니다.
문서에서 찾을 수 없는 정보입니다.
문서 내에 해당 정보가 존재하지 않습니다.
해당 내용은 제공된 자료에 없습니다.
해당 내용은 검색 결과에 없습니다.
질문에 대한 정보가 검색 결과에 없습니다.
제공된 정보에는 없습니다.
이 질문에 답하기에는 정보가 부족합니다.
제공된 문맥에서는 그에 대한 구체적인 언급이 없습니다.
제시된 글만 보고는 알 수 없다.
글에 나오지 않는다.
본문에서 확인할 수 없다.
지문에 제시되어 있지 않아 알 수 없다.
답을 알 수 없습니다.
정확한 답변을 드리기 어렵습니다.
검색 결과에서 질문에 대한 답을 찾지 못했습니다.
해당 질문에 대한 내용은 검색 결과에서 확인되지 않습니다.
관련 내용을 확인할 수 없습니다.
죄송합니다, 제공된 정보만으로는 답변을 드릴 수 없습니다.
죄송하지만 잘 모르겠어요.
문서에 명확히 나와 있지 않습니다.
문서에 해당 사항이 기재되어 있지 않습니다.
검색 결과만으로는 답변이 어렵습니다.
찾을 수 없음
문서에서 찾을 수 없음
관련 정보 없음
[[ref1]]에는 관련 정보가 없습니다.
제공된 [[ref1]], [[ref2]] 어디에도 해당 정보는 없습니다.
검색 결과에서 '가람시 시장'에 대한 정보는 찾을 수 없습니다.
검색 결과 중 어느 것도 이 질문에 대한 답을 제공하지 않습니다.
제공된 문서는 이 질문과 관련이 없습니다.
I could not find an answer in the provided context.
I'm unable to answer this question from the given context.
The provided documents don't specify when it was built.
The text does not provide an answer to this question.
None of the documents mention this.
No relevant information was found.
No information is provided about the mayor.
The context provides no information about this.
I am not sure.
The answer cannot be found in the documents.
Cannot be determined.
There is not enough information in the context to answer.
It is not specified in the document.
The passage does not say.
Sorry, I can't help with that.
I have no information about that.
I don't know.
I don’t know the answer to this question.
I do not know.
Sorry, I don't know.
Unknown
I cannot answer this question based on the provided documents.
I'm sorry, but I couldn't find that in the search results.
The answer is not in the documents provided.
The answer is not mentioned in the context.
This information is not found in the given passages.
The documents do not mention the population of Garam.
The provided context does not contain any information about the bridge.
The context doesn't say who designed it.
It cannot be determined from the context.
This cannot be determined.
There is no information about that in the text.
The search results contain no information on the budget.
Based on the provided context, I cannot determine the year.
Unfortunately, the passages do not provide this information.
Not enough information.
I don't have enough information to answer.
The question cannot be answered from these documents.
""".strip().splitlines()

# As many ways to speak of absence without declining.
ANSWERS = """
부작용이 없습니다.
이 약은 특별한 부작용이 없습니다.
서울특별시입니다. [[ref1]]
서울입니다. 다만 자세한 내용은 문서에 나와 있지 않습니다.
1998년에 개통되었습니다. 정확한 날짜는 알 수 없습니다.
인구는 12만 명이지만 출처는 문서에 언급되어 있지 않습니다.
경찰은 범인을 찾을 수 없었다.
그는 한국어를 할 수 없습니다.
이 종은 한국에서 찾아볼 수 없습니다.
"페이지를 찾을 수 없습니다"라는 메시지가 표시됩니다.
이 제품에는 글루텐이 포함되어 있지 않습니다.
조식은 제공되지 않습니다.
배터리는 포함되어 있지 않습니다.
가람시에는 지하철이 없습니다.
두 제품의 가격 차이는 없습니다.
없습니다.
없음
아니요, 회원만 입장할 수 있습니다.
반품이 불가능합니다.
입장할 수 없습니다.
헌법에는 수도가 명시되어 있지 않습니다.
비가 오면 경기를 할 수 없다.
해당 지역에는 병원이 없습니다.
학교에 다니지 않았습니다.
담배를 피우지 않는다.
그는 정답을 알고 있었다.
문서 번호는 A-1023입니다.
이 문서는 2021년에 작성되었습니다.
검색 결과는 30건입니다.
정보통신부가 담당합니다.
모르스 부호를 발명한 사람은 새뮤얼 모스이다.
눈에 보이지 않는 빛을 적외선이라고 한다.
암흑 물질은 눈으로 관측할 수 없는 물질입니다.
The drug has no side effects.
There is no subway in Garam.
He could not find the suspect.
It cannot be found in the wild.
The song "I Don't Know" was released in 1982.
Seoul. The documents do not mention the exact date.
The bridge was opened in 1998.
Breakfast is not included.
He did not know the king.
No.
Batteries are not provided.
The documents were signed in 1998.
가람시는 바다가 없는 내륙 도시입니다.
그 도서관은 월요일에는 문을 열지 않습니다.
알레르기가 없는 사람만 접종할 수 있습니다.
주차장은 없습니다. [[ref2]]
입장료는 없습니다.
별도의 신청 자료가 필요하지 않습니다.
설탕이 들어 있지 않습니다.
그는 대학에 진학하지 못했습니다.
환불을 받을 수 없습니다.
휴대전화를 사용할 수 없습니다.
세금이 포함되어 있지 않은 금액입니다.
신분증이 없으면 입장할 수 없습니다.
비밀번호를 잊으면 데이터를 복구할 수 없습니다.
개발 당시 기록이 남아 있지 않아 정확한 연도는 알 수 없으나 1920년대로 추정됩니다.
대부분 1998년이라고 답했습니다.
문서 작성자는 김하늘입니다.
검색 결과에 따르면 1998년에 개통되었습니다.
예, 가능합니다.
아니요, 2층에는 화장실이 없습니다.
별하천에는 물고기가 살지 않습니다.
모른다고 답한 사람은 12명입니다.
정보 부족이 원인이었습니다.
설립자는 알려지지 않았다.
정보를 공개하지 않습니다.
오류 코드 404는 페이지를 찾을 수 없다는 뜻입니다.
관련 법률이 없습니다.
자료실은 3층에 있습니다.
답변 기한은 7일입니다.
본문은 12쪽으로 구성되어 있지 않습니다.
문서에는 1998년이라고 적혀 있습니다.
The museum does not provide parking.
The passage through the mountain was not open in winter.
Documents are not required.
No, it does not contain sugar.
The text was written in 1920.
The company has no employees.
He said he did not know.
It does not include breakfast.
You cannot enter without a ticket.
Information about the tour is available in the lobby.
The results were not published.
The source of the river is not known.
해당 제품에는 글루텐이 포함되어 있지 않습니다.
설명서는 포함되어 있지 않습니다.
개인정보는 제3자에게 제공되지 않습니다.
한글에서는 찾아볼 수 없습니다.
그는 한국어를 모릅니다.
그는 그 사실을 알지 못했습니다.
전화로는 잔액 확인이 불가능합니다.
밖에서는 내부를 알 수 없습니다.
그의 이름은 연설에서 언급되지 않았다.
과학적 근거가 없습니다.
자료에 따르면 효과가 없습니다.
온빛대교이며 설계자는 알 수 없습니다.
증상이 없는 것이 특징입니다.
검색 결과에 따르면 서울입니다.
The documents are in the archive, not in the museum.
The patient could not answer the question.
It is not available in winter.
""".strip().splitlines()


@pytest.mark.parametrize("text", ABSTENTIONS)
def test_declines(text: str) -> None:
    assert is_abstention(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text: str) -> None:
    assert not is_abstention(text)


def test_unicode_form_and_quotation_marks_do_not_matter() -> None:
    text = "**“검색 결과에서 해당 내용을 찾을 수 없습니다.”** [[ref1]], [[ref2]]"
    assert is_abstention(unicodedata.normalize("NFD", text))


@pytest.mark.parametrize("text", ["", "  ", "\n", "[[ref1]]", "...", "죄송합니다."])
def test_silence_is_no_abstention(text: str) -> None:
    assert not is_abstention(text)


def test_refusal_then_an_answer_of_its_own_is_an_answer() -> None:
    refusal = "문서에는 수도에 대한 정보가 없습니다."
    assert is_abstention(refusal + " 추가로 궁금한 점이 있으면 말씀해 주세요.")
    assert not is_abstention(refusal + " 하지만 일반적으로 수도는 서울로 알려져 있습니다.")
    assert not is_abstention("The documents do not mention it. However, it is widely known to be Seoul.")


def test_the_data_s_own_refusal_is_known() -> None:
    own = "자료 밖의 질문이군요"
    assert not is_abstention(own)
    assert is_abstention(own + " [[ref1]]", [own])
    assert is_abstention(own + ". 다른 질문을 해 주세요.", [own])


def test_a_short_refusal_of_the_data_must_be_the_whole_answer() -> None:
    assert is_abstention("없음.", ["없음"])
    assert not is_abstention("없음 처리된 표는 12장이다.", ["없음"])
    assert not is_abstention("서울", ["", " ", "[[ref1]]"])


def test_hundreds_of_refusals_cost_little() -> None:
    refusals = [f"{i}번 자료에서는 그 답을 찾지 못했습니다" for i in range(2_000)]
    started = time.monotonic()
    assert not any(is_abstention(f"{i}년입니다.", refusals) for i in range(500))
    assert is_abstention(refusals[1_500] + ".", refusals)
    assert time.monotonic() - started < 3


def test_a_sentence_of_great_length_is_read_quickly_and_declines_nothing() -> None:
    assert not is_abstention("정보를 찾을 수 없어 " * 50_000)


@given(st.text(max_size=80))
def test_any_text_that_says_something_repeats_itself(text: str) -> None:
    says = any(c.isalnum() for c in unicodedata.normalize("NFC", strip_citations(text)).lower())
    assert is_abstention(text, [text]) or not says


def test_refusals_come_from_unanswerable_questions_only_and_once() -> None:
    questions = [
        Question("1", "q", reference=("서울",)),
        Question("2", "q", reference=("알 수 없음",), answerable=False),
        Question("3", "q", reference=("알 수 없음", " "), answerable=False),
        Question("4", "q", answerable=False),
    ]
    assert refusals_of(questions) == ("알 수 없음",)


def test_table_counts_and_rates() -> None:
    rows = [(True, False)] * 6 + [(True, True)] * 2 + [(False, False)] * 1 + [(False, True)] * 3
    table = AbstentionTable.of(rows)
    assert table == AbstentionTable(6, 2, 1, 3)
    assert table.precision == pytest.approx(3 / 5)
    assert table.recall == pytest.approx(3 / 4)
    assert table.f1 == pytest.approx(2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4))
    assert table.over_refusal_rate == pytest.approx(2 / 8)
    assert table.to_dict() == {
        "answerable_answered": 6,
        "answerable_abstained": 2,
        "unanswerable_answered": 1,
        "unanswerable_abstained": 3,
        "precision": table.precision,
        "recall": table.recall,
        "f1": table.f1,
        "over_refusal_rate": table.over_refusal_rate,
    }


def test_what_cannot_be_divided_is_none() -> None:
    nothing = AbstentionTable()
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.over_refusal_rate) == (None,) * 4
    never = AbstentionTable.of([(True, False), (False, False)])
    assert (never.precision, never.recall, never.f1) == (None, 0.0, 0.0)


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
@settings(deadline=None)
def test_table_agrees_with_scikit_learn(rows: list[tuple[bool, bool]]) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    table = AbstentionTable.of(rows)
    assert sum((table.answerable_answered, table.answerable_abstained)) == sum(a for a, _ in rows)
    if table.precision is None or table.recall is None:
        return
    p, r, f, _ = precision_recall_fscore_support(
        [not a for a, _ in rows], [b for _, b in rows], average="binary", zero_division=0
    )
    assert (table.precision, table.recall, table.f1) == pytest.approx((p, r, f))
