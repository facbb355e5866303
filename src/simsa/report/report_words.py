"""Every word that a report says to people, in Korean and English.

A sentence takes names as `Name`, whose format spec picks the right Korean particle:
`"{variant:이/가}"` is "base-ko가" or "모델이".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from simsa.i18n.language import LANGUAGES as LANGUAGES
from simsa.i18n.language import KoreanNoun as KoreanNoun
from simsa.i18n.language import Language as Language
from simsa.i18n.language import particle as particle

Words = Callable[..., str]


def words(language: Language) -> Words:
    """A function from a key (and the values of its blanks) to a text in `language`."""
    place = LANGUAGES.index(language)

    def say(key: str, **blanks: Any) -> str:
        text = CATALOGUE[key][place]
        return text.format(**blanks) if blanks else text

    return say


CATALOGUE: Final[dict[str, tuple[str, str]]] = {
    # Criteria and metrics.
    "answer_correctness": ("답변 정확성", "answer correctness"),
    "context_relevance": ("문맥 관련성", "context relevance"),
    "context_faithfulness": ("문맥 충실성", "context faithfulness"),
    "context_recall": ("문맥 재현율", "context recall"),
    "total": ("총점", "total"),
    "short.answer_correctness": ("정확성", "correct"),
    "short.context_relevance": ("관련성", "relevant"),
    "short.context_faithfulness": ("충실성", "faithful"),
    "short.context_recall": ("재현율", "recall"),
    "short.claim_support": ("주장 뒷받침", "claims borne out"),
    "korquad_em": ("KorQuAD EM", "KorQuAD EM"),
    "korquad_f1": ("KorQuAD F1", "KorQuAD F1"),
    "klue_em": ("KLUE EM", "KLUE EM"),
    "klue_rouge_w": ("KLUE ROUGE-W", "KLUE ROUGE-W"),
    "chrf": ("chrF", "chrF"),
    "rouge_l": ("ROUGE-L", "ROUGE-L"),
    "lenient_em": ("느슨한 EM", "lenient EM"),
    "lenient_f1": ("느슨한 F1", "lenient F1"),
    "contains_reference": ("정답 포함", "contains reference"),
    "context_overlap": ("문맥과 겹침", "context overlap"),
    "citations_out_of_range": ("없는 문맥 인용", "citations out of range"),
    "abstained": ("거절률", "abstention rate"),
    "citation_precision": ("인용 정밀도", "citation precision"),
    "citation_recall": ("인용 재현율", "citation recall"),
    "abstention_precision": ("거절 정밀도", "abstention precision"),
    "abstention_recall": ("거절 재현율", "abstention recall"),
    "abstention_f1": ("거절 F1", "abstention F1"),
    "over_refusal": ("과잉 거절률", "over-refusal"),
    "coverage": ("채점 비율", "coverage"),
    # Heads of tables.
    "variant": ("변형", "variant"),
    "type": ("유형", "type"),
    "criterion": ("기준", "criterion"),
    "question": ("질문", "question"),
    "reference": ("정답", "reference"),
    "passages": ("문맥", "context"),
    "n_scored": ("채점", "scored"),
    "mean": ("평균", "mean"),
    "median": ("중앙값", "median"),
    "sd": ("표준편차", "sd"),
    "ci95": ("95 % 구간", "95 % interval"),
    "difference": ("차이", "difference"),
    "p_adjusted": ("p (Holm)", "p (Holm)"),
    "win_tie_loss": ("승/무/패", "win/tie/loss"),
    "verdict": ("판정", "verdict"),
    "answerable": ("답이 있는 질문", "answerable"),
    "unanswerable": ("답이 없는 질문", "unanswerable"),
    "answered": ("답함", "answered"),
    "declined": ("거절", "declined"),
    "figure": ("값", "figure"),
    "passed": ("통과", "passed"),
    "failed": ("실패", "failed"),
    "untyped": ("(유형 없음)", "(no type)"),
    "latency": ("답변 시간 중앙값, 대기 포함, 초", "median latency, with queueing, s"),
    "tokens": ("답변 토큰 평균", "mean answer tokens"),
    # Headings.
    "title": ("심사 보고서", "Evaluation report"),
    "head.scores": ("점수: 기준마다 1–5, 총점 20", "Scores: 1–5 a criterion, total of 20"),
    "head.differences": ("{baseline} 대비 차이", "Difference to {baseline}"),
    "head.types": ("유형별 총점 평균 (채점 수)", "Mean total by type (scored)"),
    "head.metrics": ("규칙으로 잰 지표", "Deterministic metrics"),
    "head.metric_differences": (
        "{baseline} 대비 규칙 지표의 차이",
        "Difference to {baseline} in deterministic metrics",
    ),
    "head.claim_differences": (
        "{baseline} 대비 뒷받침된 주장의 차이",
        "Difference to {baseline} in claims borne out",
    ),
    "head.speed": ("길이와 속도", "Length and speed"),
    "head.abstention": ("답변과 거절", "Answering and abstaining"),
    "head.whiskers": ("차이와 95 % 구간", "Differences with their 95 % intervals"),
    "whiskers.caption": (
        "오른쪽이면 {baseline}보다 높습니다. 선은 95 % 구간, 점선은 차이 0, 띠는 동등하다고 볼 범위. "
        "총점은 1/4 크기로 그렸습니다.",
        "To the right is higher than {baseline}. Lines are 95 % intervals, dashed is no difference, "
        "the band is the margin of equivalence; the total is drawn at a quarter of its size.",
    ),
    "head.heads": ("맞대결", "Head to head"),
    "heads.caption": (
        "칸의 수는 문항 수입니다. 위로 갈수록 {a}의 점수가, 오른쪽으로 갈수록 {b}의 점수가 높습니다. 테를 두른 대각선은 "
        "같은 점수, 그 위는 {a} 쪽이 더 높은 문항입니다.",
        "Cells count questions: upwards {a} scores higher, to the right {b} does. The framed diagonal is equal "
        "scores; above it {a} is better.",
    ),
    "heads.ranges": (
        "총점은 구간으로 묶었으므로 대각선에도 조금 낫거나 못한 문항이 있습니다.",
        "Totals are in ranges: on their diagonal, too, some questions are a little better or worse.",
    ),
    "heads.record": (
        "{a} 승 {wins} · 무 {ties} · 패 {losses}",
        "{a}: {wins} better · {ties} equal · {losses} worse",
    ),
    "heads.lacking": (
        "점수가 없어 칸에 없는 문항: {a}만 {only_a}, {b}만 {only_b}, 둘 다 {both}",
        "In no cell for want of a score: {a} {only_a}, {b} {only_b}, both {both}",
    ),
    "heads.cell": ("{a} {x}점, {b} {y}점: {n}문항", "{a} {x}, {b} {y}: {n} questions"),
    "head.distribution": ("점수 분포", "Distribution of scores"),
    "head.examples": ("예시", "Examples"),
    "head.notes": ("알아둘 점", "Worth knowing"),
    "head.made": ("이 보고서를 만든 방법", "How this was made"),
    "head.cost": ("비용과 속도", "Cost and speed"),
    "head.gates": ("관문: 95 % 구간의 경계로 판정", "Gates, decided on the bound of the 95 % interval"),
    "pr.passed": ("관문 {n}개 모두 통과", "All {n} gates passed"),
    "pr.failed": ("관문 {n}개 중 {failed}개 실패", "{failed} of {n} gates failed"),
    "pr.link": ("전체 보고서", "Full report"),
    "pr.made": ("실행 {runs} · 심사 {judge}", "run {runs} · judge {judge}"),
    "pr.cut": ("(나머지는 길어서 뺐습니다.)", "(The rest was too long for a comment.)"),
    "head.examined": ("심사 점검", "The judge examined"),
    "examined.people": ("사람 라벨과의 일치", "Agreement with people"),
    "examined.people_are": (
        "같은 답변에 사람이 매긴 점수와 얼마나 맞는지. 이차 가중 κ와 95 % 구간.",
        "How far the judge agrees with people on the same answers: quadratic κ with its 95 % interval.",
    ),
    "examined.no_people": (
        "사람 라벨과 아직 대조하지 않았습니다. simsa view에서 라벨을 매기고 simsa calibrate로 확인하십시오.",
        "Not yet held against people's labels: label some answers in simsa view, then run simsa calibrate.",
    ),
    "examined.spread": ("답변과 무관한 기준의 흔들림", "Criteria that do not depend on the answer"),
    "examined.spread_is": (
        "질문과 문맥만 보는 기준은 변형이 달라도 점수가 같아야 합니다. 다른 만큼이 심사의 잡음입니다.",
        "They look at question and context alone, so all variants should get the same score; "
        "what differs is noise of the judge.",
    ),
    "context.differ": ("점수가 다른 문항", "questions that differ"),
    "context.sd": ("문항 안 표준편차", "sd within a question"),
    "context.n": ("문항", "questions"),
    "quadratic_kappa": ("이차 가중 κ", "quadratic κ"),
    "labels": ("라벨", "labels"),
    "standing": ("기준선", "bar"),
    "standing.passed": ("넘음", "passed"),
    "standing.weak": ("못 넘음", "below"),
    "standing.too few": ("라벨 부족", "too few labels"),
    "standing.unknown": ("알 수 없음", "unknown"),
    "over_refusal_of": ("답 있는 질문 거절률", "answerable declined"),
    "nav": ("차례", "Contents"),
    "heat.caption": (
        "색이 진할수록 높습니다 (총점 4–20). 괄호 안은 채점한 문항 수.",
        "The stronger the colour, the higher (totals of 4–20); in brackets, how many were scored.",
    ),
    "heat.more": (
        "문항이 많은 유형 {shown}개입니다. 나머지 {n}개는 simsa report --format md에 있습니다.",
        "These are the {shown} largest types; {n} more are in simsa report --format md.",
    ),
    "distribution.caption": (
        "막대 안은 백분율, 옆은 점수별 답변 수입니다.",
        "Inside the bars percentages, beside them answers by score.",
    ),
    "examples.more": (
        "다른 문항은 simsa view나 simsa examples에서 볼 수 있습니다.",
        "All others are in simsa view, or simsa examples.",
    ),
    "passages.more": ("… 문맥 {n}개 더", "… {n} more passages"),
    "stage.generate": ("답변 생성", "generating"),
    "stage.judge": ("심사", "judging"),
    "stage.took": (
        "{stage}: {rows}건, {seconds}초 (초당 {rate}건)",
        "{stage}: {rows} rows in {seconds} s ({rate} a second)",
    ),
    "example.best": ("점수가 가장 높은 문항", "Highest scores"),
    "example.worst": ("점수가 가장 낮은 문항", "Lowest scores"),
    "example.disputed": ("충실성 점수와 주장이 어긋나는 문항", "Claims contradict the score"),
    "example.differs": ("차이가 가장 큰 문항", "Largest difference"),
    "example.unsteady": ("한 변형의 답변들이 가장 엇갈린 문항", "Least steady answers"),
    "answer_no": ("답변 {n}/{of}", "answer {n} of {of}"),
    "answer_others": ("다른 답변", "the others"),
    "abstain.right": ("답 없는 질문에 거절", "declined, unanswerable"),
    "abstain.wrong": ("답 있는 질문에 거절", "declined, answerable"),
    "abstain.by_judge": ("심사가 보기에, 답 없음", "as the judge sees it"),
    "abstain.disputed": ("규칙과 심사가 엇갈림", "rule and judge disagree"),
    # Verdicts of comparisons.
    "better": ("나음", "better"),
    "worse": ("못함", "worse"),
    "no difference shown": ("차이 안 보임", "no difference shown"),
    "equivalent": ("동등", "equivalent"),
    "too few": ("쌍 부족", "too few"),
    # Why a row has no score.
    "status.unreadable": ("심사 응답을 읽을 수 없음", "judge's reply unreadable"),
    "status.truncated": ("심사 응답이 잘림", "judge's reply cut off"),
    "status.refused": ("심사 모델이 거부", "judge refused"),
    "status.empty": ("심사 응답이 비어 있음", "judge's reply empty"),
    "status.too_long": ("심사 모델에 너무 긺", "too long for the judge"),
    "status.failed": ("심사 엔드포인트 실패", "judge's endpoint failed"),
    "status.no_majority": ("심사자 과반이 채점하지 못함", "no majority of the judges"),
    "status.budget": ("예산 소진", "budget spent"),
    "status.pending": ("아직 심사 전", "not judged yet"),
    "status.no_prediction": ("답변 없음", "no answer"),
    # What was shown, and what was not.
    "say.better": (
        "{variant:이/가} {baseline}보다 낫습니다: {what} {diff} (95 % 구간 {low} ~ {high}), {n}쌍.",
        "{variant} is better than {baseline}: {what} {diff} (95 % interval {low} to {high}), {n} pairs.",
    ),
    "say.worse": (
        "{variant:이/가} {baseline}보다 못합니다: {what} {diff} (95 % 구간 {low} ~ {high}), {n}쌍.",
        "{variant} is worse than {baseline}: {what} {diff} (95 % interval {low} to {high}), {n} pairs.",
    ),
    "say.equivalent": (
        "{variant:은/는} {baseline:과/와} 동등합니다: {what} {diff} (95 % 구간 {low} ~ {high})로 "
        "동등하다고 볼 범위 안입니다, {n}쌍.",
        "{variant} is equivalent to {baseline}: {what} {diff} (95 % interval {low} to {high}) "
        "lies within the margin of equivalence, {n} pairs.",
    ),
    "say.no difference shown": (
        "{variant:과/와} {baseline}의 차이가 보이지 않았습니다: {what} {diff} (95 % 구간 {low} ~ {high}), {n}쌍.",
        "No difference between {variant} and {baseline} was shown: "
        "{what} {diff} (95 % interval {low} to {high}), {n} pairs.",
    ),
    "say.too few": (
        "{variant:과/와} {baseline:을/를} 비교하기에는 쌍이 너무 적습니다: 점수가 있는 쌍 {n}개 (15개부터 판정).",
        "Too few pairs to compare {variant} with {baseline}: {n} have scores (15 are needed for a verdict).",
    ),
    "say.mde": (
        "같다는 뜻은 아닙니다: 이 표본으로는 ±{mde} 이상만 찾을 수 있습니다 (검정력 80 %).",
        "That does not make them equal: this sample can only find ±{mde} or more (power 80 %).",
    ),
    "say.but_worse": ("다만 더 낮은 기준이 있습니다: {list}.", "But lower in: {list}."),
    "say.but_better": ("다만 더 높은 기준이 있습니다: {list}.", "But higher in: {list}."),
    "say.but_both": (
        "기준에 따라 더 낮거나({worse}) 더 높습니다({better}).",
        "By criterion it is lower in {worse}, and higher in {better}.",
    ),
    "say.lexical": ("낱말 겹침만으로 보면 ", "By overlap of words alone: "),
    "say.no_pairs": (
        "{variant:과/와} 비교할 쌍이 없습니다: 둘 다 채점된 문항이 없습니다.",
        "There is no pair to compare {variant} by: no question has both scored.",
    ),
    "say.alone": (
        "{variant} 하나뿐이라 비교는 없습니다: 총점 평균 {mean} (95 % 구간 {low} ~ {high}), {n}문항.",
        "Only {variant}, so nothing to compare: mean total {mean} (95 % interval {low} to {high}), {n} questions.",
    ),
    "say.unscored": (
        "아직 채점된 답변이 없습니다: 답변 {predicted}개, 문항 {n}개.",
        "No answer has been scored yet: {predicted} answers, {n} questions.",
    ),
    "say.partly": (
        "아직 모든 기준이 채점된 답변이 없습니다: 답변 {predicted}개, 문항 {n}개.",
        "No answer has been scored by all criteria yet: {predicted} answers, {n} questions.",
    ),
    "say.alone_of": (
        "{variant} 하나뿐이라 비교는 없습니다: {list}, {n}문항.",
        "Only {variant}, so nothing to compare: {list}, {n} questions.",
    ),
    "say.no_others": ("{baseline} 말고는 변형이 없습니다.", "There is no variant besides {baseline}."),
    "say.unjudged": ("아직 채점된 답변이 없습니다.", "No answer has been scored yet."),
    "say.nothing": ("문항이 없습니다.", "There are no questions."),
    # Who judged, and at what cost.
    "judged.by": ("심사: {model} · 기준표 {rubric} · {mode}", "Judge: {model} · rubric {rubric} · {mode}"),
    "judged.joint": ("네 기준을 한 번에", "four criteria in one call"),
    "judged.some": ("네 기준 중 {n}개를 한 번에", "{n} of the four criteria in one call"),
    "judged.split": ("기준을 나누어", "criteria in separate calls"),
    "judged.none": ("심사 없음", "No judge"),
    "judged.usage": (
        "호출 {calls}회 · 다시 쓴 판정 {reused}건 · 토큰 {prompt} + {completion} · 비용 {cost}",
        "{calls} calls · {reused} verdicts reused · {prompt} + {completion} tokens · cost {cost}",
    ),
    "cost.unknown": ("알 수 없음 (단가 없음)", "unknown (no price)"),
    "not_scored": ("점수 없음: {why}", "no score: {why}"),
    "no_prediction": ("(답변 없음)", "(no answer)"),
    "none": ("(없음)", "(none)"),
    # Worth knowing.
    "note.lexical": (
        "심사자 lexical은 언어 모델이 아닙니다. 질문·문맥·답변·정답의 형태소가 얼마나 겹치는지 셀 뿐 "
        "뜻은 모릅니다. LLM 심사가 넘어야 할 바닥으로만 보십시오.",
        "The judge `lexical` is no language model. It counts how far the morphemes of question, context, "
        "answer and reference overlap and understands nothing: take it as the floor that an LLM judge must beat.",
    ),
    "note.unreadable": (
        "심사 모델의 답 {n}개를 판정으로 읽지 못했습니다. 그 가운데 하나: «{said}»",
        "{n} of the judge's answers could not be read as a verdict. One of them: «{said}»",
    ),
    "note.missing": (
        "{variant}: {n}문항 중 {missing}개({share} %)에 총점이 없습니다. 모두 최저점이거나 최고점이라면 "
        "총점 평균은 {low} ~ {high}입니다.",
        "{variant}: {missing} of {n} questions ({share} %) have no total. Were they all at the lowest or "
        "all at the highest score, the mean total would be {low} to {high}.",
    ),
    "note.missing_pairs": (
        "{variant} − {baseline}: 점수가 빠진 쌍까지 가장 나쁘게, 가장 좋게 채우면 총점 차이는 {low} ~ {high}입니다.",
        "{variant} − {baseline}: with missing scores filled at their worst and at their best, "
        "the difference in total is {low} to {high}.",
    ),
    "note.judge_retiring": (
        "심사 모델 {model:은/는} {date}에 서비스가 끝납니다(앞으로 {days}일). 그 뒤에는 같은 심사로 다시 잴 수 없습니다.",
        "The judge {model} is shut down on {date}, in {days} days. After that nothing can be measured again with it.",
    ),
    "note.judge_retired": (
        "심사 모델 {model:은/는} {date} 서비스가 끝났습니다. 같은 심사로 다시 잴 수 없습니다.",
        "The judge {model} was shut down {date}. Nothing can be measured again with it.",
    ),
    "note.judge_apart": (
        "두 실행에서 심사 {name:이/가} 있던 곳이 다릅니다: {first}, {second}. 같은 모델이 아니라면 judge.identity로 "
        "구별하고 다시 채점하십시오.",
        "The judge {name} of the two runs was in different places: {first}, {second}. If that is not one model, tell "
        "them apart by judge.identity and judge anew.",
    ),
    "note.retired_on": ("{date}에", "on {date}"),
    "note.unknown_day": ("이미", "some time ago"),
    "note.successor": ("대신 권하는 모델: {model}.", "Suggested successor: {model}."),
    "note.aged": (
        "이 날짜는 {as_of}에 알려진 것이니 그대로인지 확인하십시오.",
        "The date is as it was known in {as_of}: look whether it still holds.",
    ),
    "note.context_spread": (
        "답변과 무관한 기준인데도 변형마다 점수가 다른 문항이 있습니다: {list}. 심사의 잡음입니다. "
        'judge.mode = "split"에서는 생기지 않습니다.',
        "Criteria that do not depend on the answer got different scores for different variants: {list}. "
        'That is noise of the judge; judge.mode = "split" avoids it.',
    ),
    "note.spread_of": (
        "{what} {share} % (문항 안 표준편차 {sd}, {n}문항)",
        "{what} on {share} % of {n} questions (sd within a question {sd})",
    ),
    "note.cut": (
        "{variant}: 답변 {n}개 중 {cut}개가 길이 제한(max_tokens)에서 잘렸습니다.",
        "{variant}: {cut} of {n} answers were cut off at the length limit (max_tokens).",
    ),
    "note.over_refusal": (
        "{variant:이/가} 답이 있는 질문 {n}개 중 {declined}개에 답하기를 거절했습니다.",
        "{variant} declined to answer {declined} of {n} answerable questions.",
    ),
    "note.over_refusal_answers": (
        "{variant:이/가} 답이 있는 질문에 한 답변 {n}개 중 {declined}개에서 답하기를 거절했습니다.",
        "{variant} declined in {declined} of {n} answers to answerable questions.",
    ),
    "note.abstention_disputed": (
        "{variant}: 거절했는지를 두고 규칙과 심사의 정확성 점수가 엇갈리는 문항 {n}개: {list}. 직접 읽어 보십시오.",
        "{variant}: the rule and the judge's correctness disagree on whether {n} questions were declined: {list}. "
        "Read them.",
    ),
    "note.stopped": (
        "judge.max_cost_usd에 이르러 심사를 멈췄습니다. 한도를 올려 같은 명령을 실행하면 이어집니다.",
        "Judging stopped at judge.max_cost_usd. Raise it and run the same command to go on.",
    ),
    "note.few_clusters": (
        "출처 문서가 {n}개뿐입니다. 문서로 묶어 계산한 구간은 30개보다 적으면 어림값입니다.",
        "There are only {n} source documents; intervals by document are approximate below 30.",
    ),
    "note.weak_judge": (
        "이 심사는 사람과 잘 맞지 않습니다. 이차 가중 κ가 기준선 아래입니다: {list}. "
        "이 기준의 점수는 사람의 판단을 대신하지 못합니다.",
        "This judge does not agree well enough with people. Its quadratic κ is below the bar: {list}. "
        "These scores do not stand for what people would say.",
    ),
    "note.calibrated": (
        "사람 라벨로 확인한 심사입니다. 이차 가중 κ: {list}.",
        "This judge was held against people's labels. Quadratic κ: {list}.",
    ),
    "note.calibration_of": ("{what} {kappa} {interval}, 라벨 {n}개", "{what} {kappa} {interval}, {n} labels"),
    # Two runs under different judges, and a sample that both have judged.
    "head.bridge": (
        "다리: 같은 답변 {n}개를 두 심사로",
        "The bridge: the same {n} answers under both judges",
    ),
    "head.net": ("심사 차이를 뺀 차이", "Differences less the judges' shift"),
    "head.raw_differences": (
        "{baseline} 대비 차이, 심사가 다르면 다른 그대로",
        "Difference to {baseline} as it stands, under two judges where there are two",
    ),
    "bridge.first": ("첫째 심사", "first"),
    "bridge.second": ("둘째 심사", "second"),
    "bridge.shift": ("이동 (둘째 − 첫째)", "shift (second − first)"),
    "bridge.exact": ("같음 · ±1", "exact · ±1"),
    "bridge.made": (
        "두 실행의 심사가 다릅니다: 첫째 {first}, 둘째 {second}. 같은 답변 {n}개를 둘 다에게 심사시켰습니다 "
        "(호출 {calls}회, {cost}). 두 심사의 점수는 섞지 않습니다.",
        "The runs were judged differently: first {first}, second {second}. The same {n} answers were judged by "
        "both ({calls} calls, {cost}). Their scores are never mixed.",
    ),
    "bridge.stopped": (
        "비용 한도에 이르러 뽑은 {drawn}개 중 {n}개만 둘 다 심사했습니다. 한도를 올려 다시 실행하면 이어집니다.",
        "Stopped at the limit of cost: both judged {n} of the {drawn} answers drawn. A higher limit goes on.",
    ),
    "bridge.higher": (
        "둘째 심사가 더 후합니다: 총점 {shift} (95 % 구간 {low} ~ {high}, 답변 {n}개, κ {kappa}). "
        "둘째 실행이 이만큼 높은 것은 답변이 아니라 심사 때문입니다.",
        "The second judge is kinder: total {shift} (95 % interval {low} to {high}, {n} answers, κ {kappa}). "
        "By so much the second run is higher because of its judge, not of its answers.",
    ),
    "bridge.lower": (
        "둘째 심사가 더 박합니다: 총점 {shift} (95 % 구간 {low} ~ {high}, 답변 {n}개, κ {kappa}). "
        "둘째 실행이 이만큼 낮은 것은 답변이 아니라 심사 때문입니다.",
        "The second judge is harsher: total {shift} (95 % interval {low} to {high}, {n} answers, κ {kappa}). "
        "By so much the second run is lower because of its judge, not of its answers.",
    ),
    "bridge.alike": (
        "두 심사의 평균 차이는 보이지 않았습니다: 총점 {shift} (95 % 구간 {low} ~ {high}, 답변 {n}개, κ {kappa}). "
        "이 구간 안의 차이는 심사 때문일 수 있습니다.",
        "No shift between the judges was shown: total {shift} (95 % interval {low} to {high}, {n} answers, "
        "κ {kappa}). A difference within this interval may still be the judges'.",
    ),
    "bridge.too_few": (
        "둘 다 채점한 답변이 {n}개뿐이라 심사끼리의 차이를 말할 수 없습니다 ({needed}개부터).",
        "Only {n} answers have scores of both judges; {needed} are needed to speak of their shift.",
    ),
    "bridge.net": (
        "{variant} − {baseline}: 총점 {diff}, 그중 심사 차이 {shift}, 남는 차이 {net} "
        "(95 % 구간 {low} ~ {high}): {verdict}.",
        "{variant} − {baseline}: total {diff}, of which {shift} is the judges', {net} is left "
        "(95 % interval {low} to {high}): {verdict}.",
    ),
    "common.only": (
        "두 실행의 데이터가 다릅니다. 공통인 {n}문항으로만 비교합니다 (첫째 {first}, 둘째 {second}문항).",
        "The runs have different data. Compared on the {n} questions that both ask (of {first} and {second}).",
    ),
    # Where the uncertainty comes from, and what to buy next.
    "head.noise": (
        "불확실성이 오는 곳, %: 문항 · 생성 · 심사 반복",
        "Where the uncertainty comes from, %: questions · generations · judgements",
    ),
    "noise.questions": (
        "문항을 두 배({twice}개)로 늘리면 구간이 {gain} %, 네 배({halved}개)면 절반으로 좁아집니다.",
        "Twice the questions ({twice}) would narrow the interval by {gain} %, four times ({halved}) would halve it.",
    ),
    "noise.parts": ("{what}: 불확실성은 {list}에서 옵니다.", "{what}: of the uncertainty {list}."),
    "note.samples": (
        "문항마다 여러 번 답하게 했습니다 ({list}). 문항의 점수는 답변들의 평균이고, 구간은 문항을 단위로 합니다. "
        "거절 표와 주장 표의 개수는 모든 답변을 센 것이고, 비율은 문항마다 답변들의 비율을 내어 평균한 것입니다.",
        "Questions were answered several times ({list}). A question's score is the mean of its answers, and intervals "
        "take the question as the unit. Counts of abstentions and claims are over all answers; rates are a question's "
        "share of its answers, averaged over questions.",
    ),
    "note.sample_gaps": (
        " 다른 답변의 점수가 있는 문항의 답변 {n}개에는 점수가 없어 평균에서 빠졌습니다.",
        " {n} answers without a score, to questions with a score from another answer, are not in these means.",
    ),
    "noise.part_questions": ("문항 {share} %", "{share} % is that of the questions"),
    "noise.part_seeds": ("생성 {share} %", "{share} % that of generation"),
    "noise.part_repeats": ("심사 {share} %", "{share} % that of the judge"),
    "noise.limit_seeds": (
        "문항마다 답을 더 생성해도 많아야 {most} % 좁아집니다.",
        "More answers a question would narrow it by {most} % at most.",
    ),
    "noise.limit_repeats": (
        "답변마다 심사를 더 반복해도 많아야 {most} % 좁아집니다.",
        "More judgements an answer would narrow it by {most} % at most.",
    ),
    "noise.advice": ("다음에 늘릴 것: {source}.", "Best bought next: {source}."),
    "noise.none": (
        "{what}: 점수가 모두 같아 불확실성을 나눌 수 없습니다.",
        "{what}: all scores are the same, there is no uncertainty to split.",
    ),
    "noise.more_questions": ("문항", "questions"),
    "noise.more_seeds": ("문항마다의 생성 수 (seed)", "answers a question (seeds)"),
    "noise.more_repeats": ("답변마다의 심사 반복", "judgements an answer (repeats)"),
    # `simsa stats`, where a reader has nothing but the table.
    "stats.means": ("평균과 95 % 구간", "Means with 95 % intervals"),
    "stats.differences": ("{baseline} 대비 짝지은 차이", "Paired difference to {baseline}"),
    "stats.spread": ("중앙값 · 표준편차 · n", "median · sd · n"),
    "stats.p": ("p, Holm · Wilcoxon", "p, Holm · Wilcoxon"),
    "stats.record": ("승/무/패 · r", "win/tie/loss · r"),
    "stats.mde": ("찾을 수 있는 최소 차이 (80 %)", "least found (80 %)"),
    "stats.no_scores": ("점수가 없습니다", "no scores"),
    "stats.missing": ("점수 {n}개 중 {missing}개가 없습니다", "{missing} of {n} scores are missing"),
    "stats.bounds": (
        "; 그 점수가 무엇이든 평균은 {low} ~ {high}입니다",
        "; whatever they are, the mean is {low} to {high}",
    ),
    "stats.gaps": (
        "반복 점수 {n}개가 없어 그 문항의 평균은 나머지로 냈습니다",
        "{n} repeated scores are missing; the means of their questions rest on the others",
    ),
    "stats.friedman": (
        "{criterion}: 변형 {k}개, 문항 {n}개를 통틀어 Friedman p {p}",
        "{criterion}: over all {k} variants and {n} questions, Friedman p {p}",
    ),
    # Several judges, and one asked several times.
    "head.usage": (
        "심사 호출 · 비용 (+다시 쓴 호출): 함께 쓰는 호출은 앞선 변형의 몫",
        "Calls of the judge · cost (+reused): a shared call is the first variant's",
    ),
    "usage.whole": ("모두", "all"),
    "usage.joint": ("점수", "scores"),
    "usage.answer": ("답변 기준", "criteria of the answer"),
    "usage.context": ("문맥 기준", "criteria of the context"),
    "usage.evenly": (
        "{title}; 기준별 금액은 호출을 고르게 나눈 몫",
        "{title}; a criterion's cost is its even share of the calls",
    ),
    "head.expected": (
        "정수 점수 / 토큰 확률로 본 기댓값 (있는 답변 수)",
        "Integers / expected scores by token probabilities (answers that have one)",
    ),
    "expected.missing": ("기댓값 없는 점수", "scores without"),
    # Claims of answers.
    "claim_support": ("뒷받침된 주장의 비율", "claims borne out, share"),
    "head.claims": (
        "주장 하나하나로 본 충실성: 답변마다 뒷받침된 주장의 비율, 0–1",
        "Faithfulness claim by claim: share of an answer's claims borne out, 0–1",
    ),
    "claims.part": ("주장", "claims"),
    "claims.caption": (
        "주장이 뒷받침되었다는 것은 심사가 옮겨 적은 글이 그 문맥에 정말 있다는 뜻입니다.",
        "A claim is borne out when the words that the judge copied for it do stand in the passage it named.",
    ),
    "claims.supported": ("뒷받침된 주장", "claims borne out"),
    "claims.difference": ("{baseline} 대비 비율의 차이", "share, difference to {baseline}"),
    "claims.not_found": ("인용문이 문맥에 없는 주장", "claims whose quotation is not there"),
    "claims.silent": ("주장이 없는 답변", "answers that claim nothing"),
    "claims.listed": ("주장을 적은 답변", "answers with a list"),
    "claims.too_kind": ("충실성 5점인데 뒷받침 없는 주장", "faithfulness 5, a claim not borne out"),
    "claims.too_harsh": ("충실성 1–2점인데 모두 뒷받침", "faithfulness 1–2, all borne out"),
    "claims.unsupported": ("(뒷받침 없음)", "(not borne out)"),
    "claims.in": ("[{n}] «{quote}»", "[{n}] «{quote}»"),
    "claims.not_in": (
        "(뒷받침 없음: [{n}]에 «{quote}»가 없음)",
        "(not borne out: [{n}] does not say «{quote}»)",
    ),
    "claims.no_claim": ("주장이 없습니다.", "It claims nothing."),
    "claims.none_listed": ("주장 목록 없음: {why}", "no list of claims: {why}"),
    "note.claims_kind": (
        "{variant}: 문맥 충실성 5점인데 뒷받침 없는 주장이 있는 답변 {n}개: {list}. "
        "simsa examples --disputed로 읽어 보십시오.",
        "{variant}: answers with full marks for faithfulness and a claim that no passage bears out: {n} ({list}). "
        "Read them: simsa examples --disputed.",
    ),
    "note.claims_harsh": (
        "{variant}: 문맥 충실성 1–2점인데 주장이 모두 뒷받침되는 답변 {n}개: {list}. "
        "simsa examples --disputed로 읽어 보십시오.",
        "{variant}: answers with 1 or 2 for faithfulness although every claim is borne out: {n} ({list}). "
        "Read them: simsa examples --disputed.",
    ),
    "note.claims_unlisted": (
        "{variant}: 답변 {n}개는 주장 목록을 얻지 못했습니다 ({why}). 뒷받침된 비율에서 빠집니다.",
        "{variant}: answers without a list of claims, which the share leaves out: {n} ({why}).",
    ),
    "head.panel": ("심사자별 총점 평균, 최고 {max} (채점 수)", "Mean total of {max} by each judge (scored)"),
    "panel.median": ("심사단 (중앙값)", "panel (median)"),
    "head.agreement": ("심사단의 일치", "Agreement of the panel"),
    "panel.alpha": ("Krippendorff α", "Krippendorff's α"),
    "head.repeats": (
        "같은 심사를 {n}번 되풀이했을 때의 흔들림, 온도 {temperature}",
        "The judge against itself: {n} repeats at temperature {temperature}",
    ),
    "voices.sd": ("안에서의 표준편차", "sd within"),
    "voices.differ": ("점수가 갈린 비율, %", "scores differ, %"),
    "voices.n": ("답변 수", "answers"),
    "note.panel_absent": (
        "심사자 {name:이/가} {n}건 중 {missing}건을 채점하지 못했습니다({why}). 그 답변들은 나머지 심사자의 중앙값입니다.",
        "The judge {name} has no score for {missing} of {n} ({why}); there the median is that of the others.",
    ),
    "note.panel_disagrees": (
        "심사자들이 서로 맞지 않습니다(Krippendorff α {bar} 미만): {list}. 중앙값은 이를 가릴 뿐입니다.",
        "The judges agree too little (Krippendorff's α below {bar}) on {list}. The median hides the dispute.",
    ),
    # Gates, and why one could not be computed.
    "say.gate": (
        "{figure}, 구간의 {end} {bound} (요구 {op} {limit}), {n}문항",
        "{figure}, {end} bound {bound} (asked {op} {limit}), n = {n}",
    ),
    "say.gate_value": ("{figure} (요구 {op} {limit}), {n}행", "{figure} (asked {op} {limit}), n = {n}"),
    "gate.lower": ("아래 끝", "lower"),
    "gate.upper": ("위 끝", "upper"),
    "gate.no_pairs": (
        "둘 다 값이 있는 문항이 없어 계산할 수 없습니다",
        "cannot be computed: no question has a value on both sides",
    ),
    "gate.no_values": ("값이 없어 계산할 수 없습니다", "cannot be computed: there are no values"),
    "gate.one_value": (
        "값이 하나뿐이라 구간이 없습니다",
        "cannot be decided: one value has no interval",
    ),
    "gate.undefined": (
        "나눌 것이 없어 정의되지 않습니다 (그런 질문이나 거절이 없음)",
        "is undefined: there is nothing to divide by (no such questions, or no abstentions)",
    ),
    # How this was made.
    "made.run": ("실행", "run"),
    "made.data": ("데이터 해시", "data hash"),
    "made.config": ("설정 해시", "config hash"),
    "made.version": ("simsa 버전", "simsa version"),
    "made.judge": ("심사", "judge"),
    "made.baseline": ("기준 변형", "baseline"),
    "made.versions": ("버전", "versions"),
    "made.prompt": ("프롬프트", "prompt"),
    "made.rubric": ("심사 기준표", "rubric"),
    "made.chat_template": ("대화 서식", "chat template"),
    "made.again": (
        "아래를 simsa.toml로 저장하고 simsa run을 실행하면 다시 만들 수 있습니다.",
        "Saved as simsa.toml, this makes the run again: simsa run.",
    ),
    "made.paths": (
        "상대 경로는 이 파일이 있는 폴더를 기준으로 합니다",
        "relative paths start at the folder of this file",
    ),
    "made.env": ("값은 남기지 않습니다", "the values are not kept"),
    "made.settings": ("설정 전체 (simsa.toml)", "all settings (simsa.toml)"),
    # The judge examined.
    "head.probes": ("심사 검사: 답을 아는 문항", "The judge examined: known answers"),
    "head.retest": ("심사 검사: 같은 답변을 다시 채점", "The judge examined: the same answers again"),
    "probe.passed": ("통과", "passed"),
    "probe.rate": ("통과율", "pass rate"),
    "probe.unscored": ("점수 없음 {n}", "{n} unscored"),
    "probe.overall": ("전체", "all probes"),
    "probe.reference": ("정답 그대로", "the reference itself"),
    "probe.foreign": ("다른 질문의 답", "another question's answer"),
    "probe.empty": ("빈 답변", "an empty answer"),
    "probe.injection": ("틀린 답에 점수 요구", "wrong, with orders to judge"),
    "probe.number": ("숫자를 바꾼 정답", "reference, numbers changed"),
    "probe.negated": ("뜻을 뒤집은 정답", "reference, negated"),
    "probe.padded": ("인사말을 덧붙인 정답", "reference, padded"),
    "probe.padded_wrong": ("인사말을 덧붙인 틀린 답", "wrong answer, padded"),
    "probe.faithful_but_wrong": ("문맥에 있으나 답이 아님", "in the context, no answer"),
    "probe.right_but_unfaithful": ("맞지만 문맥에 없음", "right, not in the context"),
    "probe.abstained_rightly": ("답 없는 질문에 거절", "declined, unanswerable"),
    "probe.abstained_wrongly": ("답 있는 질문에 거절", "declined, answerable"),
    "probe.invented": ("답 없는 질문에 지어낸 답", "answered, unanswerable"),
    "probe.claims_stated": ("주장: 문맥의 문장 그대로", "claims: a sentence of the context"),
    "probe.claims_number": ("주장: 숫자를 바꾼 문장", "claims: its numbers changed"),
    "probe.claims_absent": ("주장: 문맥에 없는 답", "claims: of which nothing is there"),
    "probe.failed": ("통과하지 못한 문항", "What failed"),
    "probe.said": ("점수 {scores} (요구: {wanted})", "scored {scores} (wanted: {wanted})"),
    "probe.against": ("덧붙이지 않으면 {scores}", "{scores} without the addition"),
    "probe.no_gain": (" 오르지 않음", ": no gain"),
    "probe.same_mean": (" 평균 차이 0.3 이내", ": mean within 0.3"),
    "probe.none": (
        "만들 수 있는 검사 문항이 없습니다: 정답이 있는 문항이 필요합니다.",
        "No probe could be built: questions with a reference are needed.",
    ),
    "probe.not_built": ("만들 수 없던 종류: {list}", "Could not be built: {list}"),
    "probe.stopped": (
        "judge.max_cost_usd에 이르러 멈췄습니다. 한도를 올려 같은 명령을 실행하면 이어집니다.",
        "Stopped at judge.max_cost_usd. Raise it and run the same command to go on.",
    ),
    "probe.estimate": (
        "물을 것: {calls}회 (이미 있는 것 {reused}회), 토큰 약 {prompt} + {completion}, 비용 {cost}",
        "to ask: {calls} calls ({reused} on file already), about {prompt} + {completion} tokens, {cost}",
    ),
    "probe.other_judge": (
        "이 실행은 다른 심사로 채점되었습니다. 검사 결과는 이 심사로 채점한 보고서에만 나타납니다.",
        "The run was judged by another judge; its report will not show this examination.",
    ),
    "probe.no_rows": (
        "다시 채점할 답변이 없습니다: 채점된 실행에서만 됩니다.",
        "Nothing to judge again: the run has no answers scored by this judge.",
    ),
    "probe.deterministic": (
        "lexical은 같은 답변에 늘 같은 점수를 주므로 다시 채점하지 않습니다.",
        "lexical always scores an answer alike, so nothing is judged again.",
    ),
    "retest.exact": ("같음", "exact"),
    "retest.within_one": ("±1", "±1"),
    "retest.kappa": ("이차 가중 κ", "quadratic κ"),
    "note.judge_unexamined": (
        "검사하지 않은 심사입니다: simsa probe",
        "judge not examined: simsa probe",
    ),
    "note.probed": (
        "심사 모델 {model:은/는} 답을 아는 검사 문항 {n}개 중 {passed}개를 통과했습니다 ({rate} %).",
        "The judge {model} passed {passed} of {n} probes with known answers ({rate} %).",
    ),
    "note.weak_probes": (
        "심사 모델 {model:은/는} 답을 아는 검사 문항 {n}개 중 {passed}개만 통과했습니다 ({rate} %, 기준 95 %). "
        "통과하지 못한 것: {list}. 이 점수는 조심해서 보십시오.",
        "The judge {model} passed only {passed} of {n} probes with known answers ({rate} %; the bar is 95 %). "
        "It failed on: {list}. Take its scores with care.",
    ),
    "note.length_bias": (
        "같은 질문 안에서 답변이 두 배 길어질 때마다 총점이 {slope}점 {ci95} 달라집니다 ({n}문항, 변형 차이는 뺌). "
        "긴 답이 더 좋아서일 수도 있고, 심사가 길이에 끌린 것일 수도 있습니다.",
        "Within a question the total moves by {slope} {ci95} for each doubling of the answer's length "
        "({n} questions, variants held fixed). Longer answers may be better or worse, or the judge minds the length.",
    ),
}
