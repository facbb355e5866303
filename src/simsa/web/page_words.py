"""What the page says besides the words of a report, in Korean and English."""

from __future__ import annotations

from typing import Any, Final

from simsa.i18n.language import LANGUAGES, Language
from simsa.report.report_words import CATALOGUE, Words

PAGE: Final[dict[str, tuple[str, str]]] = {
    "overview": ("요약", "Overview"),
    "questions": ("문항", "Questions"),
    "runs": ("실행 비교", "Runs over time"),
    "label": ("라벨링", "Labelling"),
    "begin": ("라벨링", "Labelling"),
    "calibration": ("일치도", "Agreement"),
    "run": ("실행", "run"),
    "help": ("단축키", "Keyboard"),
    "close": ("닫기", "Close"),
    "to_content": ("본문으로", "Skip to content"),
    "working": ("계산하고 있습니다…", "Working it out…"),
    "going_on": (
        "지금까지 답변 {answered} / {planned} · 심사 {judged} / {planned}",
        "So far {answered} / {planned} answered · {judged} / {planned} judged",
    ),
    "going_on.reload": ("새 결과 불러오기", "Load what is new"),
    "level": ("{n}점", "{n}"),
    "level_of": ("{variant}, {name}: {level}점 {n}개", "{variant}, {name}: {n} with {level}"),
    # The table of questions.
    "search": ("찾기", "Search"),
    "search.hint": ("질문·정답·답변에서 찾기", "Search questions, references, answers"),
    "filters": ("거르기", "Filters"),
    "all": ("모두", "all"),
    "status": ("상태", "status"),
    "scored": ("채점됨", "scored"),
    "apply": ("적용", "Apply"),
    "reset": ("조건 지우기", "Clear"),
    "found": ("{n}문항", "{n} questions"),
    "download": ("이 목록 내려받기 (CSV)", "Download this list (CSV)"),
    "before": ("이전", "Previous"),
    "after": ("다음", "Next"),
    "page": ("{page} / {pages}쪽", "page {page} of {pages}"),
    "low": ("점수 하한", "lowest score"),
    "high": ("점수 상한", "highest score"),
    "diff": ("{a} − {b}", "{a} − {b}"),
    "diff.higher": ("높음", "higher"),
    "diff.lower": ("낮음", "lower"),
    "diff.differs": ("다름", "differs"),
    "diff.same": ("같음", "same"),
    "filter.ids": ("문항 id", "question id"),
    "filter.ids_hint": ("q1, q2 또는 q1*", "q1, q2 or q1*"),
    "filter.cluster": ("출처 문서", "document"),
    "filter.finish": ("종료 이유", "ended by"),
    "finish.length": ("length (길이 제한)", "length (cut off)"),
    "filter.score": ("점수", "score"),
    "filter.score_of": ("{variant} 점수 {text}", "{variant} score {text}"),
    "filter.metric": ("지표", "metric"),
    "filter.mlow": ("지표 하한", "metric at least"),
    "filter.mhigh": ("지표 상한", "metric at most"),
    "filter.refused": ("거절", "declined"),
    "refused.yes": ("거절함", "declined to answer"),
    "refused.no": ("답함", "answered"),
    "filter.labelled": ("사람 라벨", "labels"),
    "labelled.yes": ("있음", "labelled"),
    "labelled.no": ("없음", "not labelled"),
    "filter.said": ("A와 B의 답변", "answers of A and B"),
    "said.same": ("같음", "the same"),
    "said.differs": ("다름", "different"),
    "said.same_of": ("{a:과/와} {b}의 답변이 같음", "{a} and {b} answer the same"),
    "said.differs_of": ("{a:과/와} {b}의 답변이 다름", "{a} and {b} answer differently"),
    "filter.alow": ("A 점수 하한", "A at least"),
    "filter.ahigh": ("A 점수 상한", "A at most"),
    "filter.blow": ("B 점수 하한", "B at least"),
    "filter.bhigh": ("B 점수 상한", "B at most"),
    "same_document": ("같은 문서의 문항", "questions on the same document"),
    "filters.more": ("조건 더 보기, 보일 변형 고르기", "More filters, variants shown"),
    "filters.questions": ("문항", "Questions"),
    "filters.answers": ("답변", "Answers"),
    "filters.pair": ("A와 B 비교", "A against B"),
    "filters.show": ("보일 변형", "Variants shown"),
    "filters.on": ("걸린 조건", "Filters that are on"),
    "filters.remove": ("조건 빼기", "remove this filter"),
    "columns.some": (
        "변형 {n}개 가운데 {shown}개를 보입니다. 거르기에서 고릅니다.",
        "{shown} of {n} variants are shown: choose others in the filters.",
    ),
    "search.how": (
        '낱말은 모두 들어 있어야 합니다. "띄어 쓴 말"은 그대로 찾고, 앞에 -를 붙인 말이 있는 문항은 뺍니다.',
        'All words must be there; "some words" are sought as they stand; -word leaves out what has it.',
    ),
    "nothing.loosen": ("이 조건을 빼면 있습니다:", "There are some without:"),
    "nothing.n": ("{text} ({n}문항)", "{text} ({n} questions)"),
    "heads.choose": ("맞대결할 두 변형", "Two variants to compare"),
    "heads.wins": ("승 {n}", "{n} better"),
    "heads.ties": ("무 {n}", "{n} equal"),
    "heads.losses": ("패 {n}", "{n} worse"),
    "heads.none": (
        "이 두 변형이 함께 점수를 받은 문항이 없거나, 변형이 많아 세지 않았습니다.",
        "No question has a score of both; or there are too many variants to count every pair.",
    ),
    "nothing": ("조건에 맞는 문항이 없습니다.", "No question fits."),
    "not_yet": (
        "아직 찾거나 거를 수 없습니다: 목록을 만들고 있습니다.",
        "Searching and filtering will work in a moment: the list is being made.",
    ),
    # One question.
    "missing": ("그런 문항이 없습니다.", "There is no such question."),
    "cited": ("인용: {by}", "cited by {by}"),
    "expected": ("기대한 인용", "expected"),
    "answers_of": ("{variant}의 답변들", "Answers of {variant}"),
    "answer_total": ("답변 {n}/{of}, {total}점", "answer {n} of {of}, total {total}"),
    "answer_status": ("답변 {n}/{of}, {why}", "answer {n} of {of}, {why}"),
    "answers_apart": (
        "답변 {n}개의 총점: 평균 {mean}, {low}–{high}, 표준편차 {sd}",
        "Totals of {n} answers: mean {mean}, {low}–{high}, sd {sd}",
    ),
    "used": ("답변과 겹치는 부분", "also in the answer"),
    "used_by": ("{by}에 있음", "in {by}"),
    "against": ("정답과 비교", "Against the reference"),
    "piece.same": ("같은 말", "same"),
    "piece.added": ("더한 말", "added"),
    "piece.missing": ("빠진 말", "missing"),
    "voices": ("심사자별 점수 ({n})", "What each judge gave ({n})"),
    "repeat_no": ("{n}번째", "no. {n}"),
    "link_to": ("{what}로 가는 주소", "link to {what}"),
    "raw": ("심사 응답 원문", "Judge's raw reply"),
    "judge_request": ("심사 요청 원문", "Judge's request"),
    "model_request": ("모델 요청 원문", "Model's request"),
    "remade": (
        "설정과 프롬프트 파일로 다시 만든 요청입니다. ····은 요청마다 다른 경계 부호입니다.",
        "Made again from the config and its prompt files; ···· stands for a boundary code of each request.",
    ),
    "claims": ("주장", "Claims"),
    "details": ("요청·응답·지표", "Requests, replies, metrics"),
    "metrics": ("지표", "Metrics"),
    "analysis": ("심사의 분석", "The judge's analysis"),
    "detail": ("사유: {why}", "reason: {why}"),
    "usage": (
        "입력 {prompt} · 출력 {completion}토큰 · {latency}초 · 종료 {finish}",
        "{prompt} + {completion} tokens · {latency} s · ended by {finish}",
    ),
    "cut": ("… 모두 {n}자 가운데 앞부분입니다.", "… cut: {n} characters in all."),
    "whole": ("전체 보기", "Show all"),
    # The labelling desk.
    "desk.name": ("이름", "Your name"),
    "desk.name_hint": ("라벨에 적힙니다. 한 번만 묻습니다.", "Kept with your labels; asked only once."),
    "desk.n": ("라벨할 답변 수", "Answers to label"),
    "desk.seed": ("추첨 시드", "Seed of the draw"),
    "desk.draw_hint": (
        "변형의 이름과 심사 점수는 보이지 않고, 순서는 사람마다 섞입니다. 모든 변형이 같은 문항에서 뽑힙니다. "
        "바로잡은 평균에는 변형마다 30개 이상이 필요합니다.",
        "Names of variants and the judge's scores are hidden, and everybody has an order of their own. All variants are "
        "drawn on the same questions. Corrected means need at least 30 answers a variant.",
    ),
    "desk.how": ("뽑는 방법", "How to draw"),
    "desk.uniform": ("모든 문항에서 고르게", "Uniformly from all questions"),
    "desk.uniform_hint": (
        "바로잡은 평균에 심사 점수도 함께 씁니다. 보통은 이것이 낫습니다.",
        "Corrected means then lean on the judge's scores too: usually the better choice.",
    ),
    "desk.stratified": ("심사 점수의 구간마다 고르게", "Evenly over the judge's scores"),
    "desk.stratified_hint": (
        "드문 점수의 답변도 라벨하게 됩니다. 답변마다 가중치를 남기고 평균은 그 가중치로 냅니다. "
        "모든 변형이 채점된 문항만 뽑습니다.",
        "Answers with rare scores get labelled too. Each keeps a weight, and means are weighted by it. Only "
        "questions scored for every variant are drawn.",
    ),
    "desk.too_few": (
        "이 방법으로 뽑기에는 답변 수가 적습니다. 점수 구간마다 두 문항과 그 모든 변형의 답변이 필요합니다. "
        "수를 늘리거나 모든 문항에서 고르게 뽑으십시오.",
        "Too few answers for this draw: two questions of each range of scores are needed, with every variant's "
        "answer. Ask for more, or draw uniformly.",
    ),
    "desk.moved": (
        "뽑은 뒤에 심사 점수가 바뀌었습니다. 이어서 뽑으면 가중치가 틀리므로 이 표본은 늘릴 수 없습니다.",
        "The judge's scores have changed since the sample was drawn. Weights would be wrong, so it cannot be drawn on.",
    ),
    "desk.more_strata": (
        "심사 점수의 구간마다 이어서 뽑고 가중치를 다시 매깁니다.",
        "Goes on evenly over the judge's scores, and weighs anew.",
    ),
    "desk.begin": ("시작", "Begin"),
    "desk.leave": ("다른 사람", "Somebody else"),
    "desk.as": ("라벨하는 사람: {name}", "Labelling as {name}"),
    "desk.done": ("{done} / {n}개 마침", "{done} of {n} done"),
    "desk.at": ("{at}번째", "No. {at}"),
    "desk.all_done": ("모두 마쳤습니다.", "All done."),
    "desk.next_open": ("아직 안 한 것", "Next open"),
    "desk.undo": ("되돌리기", "Undo"),
    "desk.clear": ("점수 지우기", "Clear score"),
    "desk.comment": ("메모", "Comment"),
    "desk.save": ("메모 저장", "Save comment"),
    "desk.saved": ("저장됨", "Saved"),
    "desk.saving": ("저장하는 중…", "Saving…"),
    "desk.lost": (
        "서버가 답하지 않습니다. 마지막 점수는 아직 저장되지 않았습니다. 서버가 돌아오면 저장합니다.",
        "The server does not answer. What was clicked last is not saved yet; it will be when the server is back.",
    ),
    "desk.stale": (
        "저장하지 못했습니다. 페이지를 다시 불러오십시오.",
        "That could not be saved. Load the page again.",
    ),
    "desk.gone": ("이 답변은 이제 없습니다.", "This answer is no longer there."),
    "desk.answer": ("채점할 답변", "Answer to label"),
    "desk.rubric": ("기준표 {rubric}", "Rubric {rubric}"),
    "desk.criteria": ("기준", "Criteria"),
    "desk.more": ("답변 더 뽑기", "Draw more answers"),
    "desk.more_hint": (
        "시드가 같으면 앞서 뽑은 답변에 이어서 뽑습니다.",
        "With the same seed the draw goes on from what was drawn before.",
    ),
    "desk.export": ("라벨 내려받기", "Download labels"),
    "desk.people": ("라벨한 사람", "Annotators"),
    "desk.nobody": ("아직 라벨이 없습니다.", "No labels yet."),
    # Agreement with people.
    "agree.none": (
        "아직 라벨이 없습니다. 라벨링에서 답변을 채점하면 심사와 사람의 일치도가 여기에 나옵니다.",
        "There are no labels yet. Score some answers on the labelling page, and how far the judge agrees is shown here.",
    ),
    "agree.rests": ("답변 {n}개 · {people}", "{n} answers · {people}"),
    "agree.keep": ("보고서에 싣기", "Keep for the reports"),
    "agree.kept": (
        "실행에 저장했습니다. 이제 보고서에 나옵니다.",
        "Kept in the run: its reports say it from now on.",
    ),
    "agree.counts": ("라벨과 심사 점수의 표", "Labels against the judge's scores"),
    "agree.corner": ("사람 \\ 심사", "people \\ judge"),
    "agree.command": ("같은 것을 명령으로: {command}", "The same as a command: {command}"),
    # Runs over time.
    "runs.hint": (
        "심사 모델, 기준표, 방식, 시험 자료가 모두 같은 실행만 선으로 잇습니다. 세로줄은 95 % 구간입니다.",
        "Only runs with the same judge, rubric, mode and test set are joined. Bars are 95 % intervals.",
    ),
    "runs.picture": ("실행별 {name} 평균", "Mean {name} by run"),
    "runs.apart": (
        "심사나 자료가 다른 실행이 있어 선을 나누었습니다.",
        "Some runs differ in judge or data: their lines are kept apart.",
    ),
    "created": ("만든 때", "created"),
    "judge": ("심사", "judge"),
    # What keys do.
    "key.jk": ("다음·이전 줄이나 문항", "next, previous row or question"),
    "key.enter": ("고른 문항 열기", "open the chosen question"),
    "key.slash": ("찾기 칸으로", "to the search box"),
    "key.15": (
        "변형으로 가기; 문항 목록에서는 그 변형의 점수로 정렬",
        "to a variant; in the list: sort by its score",
    ),
    "key.turn": ("같은 변형의 이전·다음 답변", "previous, next answer of the same variant"),
    "key.d": ("정답과의 비교 켜고 끄기", "comparison with the reference on and off"),
    "key.help": ("이 도움말", "this help"),
    "key.desk15": (
        "고른 기준의 점수; 다음 기준으로 넘어감",
        "score the chosen criterion and go on to the next",
    ),
    "key.arrows": ("기준 고르기", "choose a criterion"),
    "key.deskjk": ("다음·이전 답변", "next, previous answer"),
    "key.n": ("아직 안 한 답변으로", "to the next open answer"),
    "key.u": ("되돌리기", "undo"),
    "key.c": ("메모 쓰기 (Esc로 마침)", "write a comment (Esc when done)"),
    "key.0": ("고른 기준의 점수 지우기", "clear the chosen criterion"),
}


def page_words(language: Language) -> Words:
    """Like `simsa.report.report_words.words`, with the page's own words too."""
    place = LANGUAGES.index(language)

    def say(key: str, **blanks: Any) -> str:
        text = (PAGE.get(key) or CATALOGUE[key])[place]
        return text.format(**blanks) if blanks else text

    return say
