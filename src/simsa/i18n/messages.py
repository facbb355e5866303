"""What simsa says at the terminal while it works, in Korean and English: the one home of these words.

Reports have their own (`simsa.report.report_words`), and so have the page and calibrations. Errors,
help and JSON are English everywhere: they name fields and flags, and are looked up and quoted.
"""

from __future__ import annotations

from typing import Any, Final

from simsa.i18n.language import LANGUAGES, KoreanNoun, Language, LocalizedText, localize


def msg(key: str, **blanks: Any) -> LocalizedText:
    """The sentence `key` with its blanks filled, in both languages. A blank that is `Said` is filled in each."""
    ko, en = (CATALOGUE[key][place].format(**_in(blanks, lang)) for place, lang in enumerate(LANGUAGES))
    return LocalizedText(en, ko)


def _in(blanks: dict[str, Any], language: Language) -> dict[str, Any]:
    filled = {}
    for name, value in blanks.items():
        if isinstance(value, LocalizedText):
            value = localize(value, language)
        filled[name] = KoreanNoun(value) if isinstance(value, str) else value
    return filled


CATALOGUE: Final[dict[str, tuple[str, str]]] = {
    # Where each stage stands.
    "live.generate": ("답변 생성", "generate"),
    "live.judge": ("심사", "judge"),
    "live.money": ("비용", "cost"),
    "live.rate": ("초당 {rate}건", "{rate}/s"),
    "live.left": ("{time} 남음", "{time} left"),
    "live.took": ("{time} 걸림", "in {time}"),
    "live.waiting": ("{time} 기다림", "waiting {time}"),
    "live.failed": ("실패 {n}", "{n} failed"),
    "live.reused": ("재사용 {n}", "{n} reused"),
    "money.spent": ("{usd} 사용", "{usd} spent"),
    "money.to_go": ("앞으로 약 {usd}", "about {usd} to go"),
    "money.limit": ("한도 {limit}", "limit {limit}"),
    "money.limit_rest": ("한도 {limit}, {rest} 남음", "limit {limit}, {rest} left"),
    "money.not_enough": ("끝나기 전에 한도에 닿음", "the limit comes before the end"),
    "look.n": (
        "질문 {n:,}개 (답 있음 {yes:,}, 답 없음 {no:,})",
        "{n:,} questions ({yes:,} answerable, {no:,} not)",
    ),
    "look.lengths": ("길이(글자, 최소–중앙–최대): {list}", "characters, min–median–max: {list}"),
    "look.question": ("질문", "question"),
    "look.contexts": ("문맥", "contexts"),
    "look.reference": ("정답", "reference"),
    "interrupted": (
        "중단했습니다. 여기까지 한 것은 저장되어 있고, 같은 명령을 다시 실행하면 이어집니다.",
        "interrupted; what was done is kept, and the same command goes on where it stopped",
    ),
    "interrupted.command": (
        "중단했습니다. 여기까지 한 것은 저장되어 있습니다. 이어서 하려면:\n  {command}",
        "interrupted; what was done is kept. To go on where it stopped:\n  {command}",
    ),
    # When a run or a stage has ended.
    "end.report": ("보고서: simsa report {run}", "the report: simsa report {run}"),
    "end.run": ("실행 폴더: {run}", "the run: {run}"),
    "end.unlisted": (
        "답변 {n:,}개에 주장 목록이 없습니다 ({list}). {how}",
        "{n:,} answers have no list of claims ({list}); {how}",
    ),
    "end.go_on": ("다시 실행하면 남은 것만 묻습니다", "run again to ask for the rest"),
    "end.retry": ("`{flags}`를 붙여 실행하면 다시 묻습니다", "`{flags}` asks for them again"),
    "status.predicted": ("답변 {n:,}", "predicted {n:,}"),
    "status.scored": ("채점 {n:,}", "scored {n:,}"),
    # What judging will take.
    "estimate": (
        "심사: 호출 {calls:,}회, 토큰 약 {prompt:,} 입력 · {completion:,} 출력 (글자 수로 어림), {cost}",
        "judging: {calls:,} calls, about {prompt:,} tokens in and {completion:,} out (estimated from characters), {cost}",
    ),
    "estimate.share": (
        "{name}: 호출 {calls:,}회, 입력 {prompt:,}토큰, {cost}",
        "{name}: {calls:,} calls, {prompt:,} tokens in, {cost}",
    ),
    "estimate.as_of": ("{said} ({month} 가격)", "{said} at prices of {month}"),
    "estimate.criteria": (
        "기준별 (호출 비용을 묻는 기준에 똑같이 나눔): {list}",
        "by criterion, a call's cost divided evenly over what it asks: {list}",
    ),
    "price.about": ("약 {usd}", "about {usd}"),
    "price.unknown": ("가격을 모름", "no price is known"),
    # The run.
    "run.judge_stopped": (
        "심사가 멈췄습니다. 답변 생성은 계속합니다. {error}",
        "the judge has stopped; generation goes on. {error}",
    ),
    "run.budget": (
        "한도 {limit} 중 {spent}에서 멈췄습니다. max_cost_usd를 올리면 이어집니다",
        "stopped at {spent} of {limit}; a higher max_cost_usd goes on",
    ),
    "judge.moved": (
        "심사 {name:은/는} 이 실행을 여러 곳에서 채점했고, 이미 있는 판정은 그대로 두었습니다: {list}. 같은 모델이 아니라면 "
        "judge.identity를 새로 정하십시오. 그러면 모두 다시 채점합니다",
        "{name} has judged this run in several places, and verdicts on file were kept: {list}. If it is not the same "
        "model there, give it a judge.identity of its own, and it judges anew",
    ),
    "given.unknown": (
        "{path}: {n:,}행은 테스트 세트에 없는 질문의 답변이라 뺐습니다",
        "{path}: {n:,} rows answer no question of the test set; left out",
    ),
    "given.missing": (
        "{path}: 질문 {n:,}개에는 답변이 없습니다",
        "{path}: {n:,} questions have no prediction",
    ),
    # vLLM.
    "vllm.starting": (
        "vLLM {version} 시작: {models}. 로그: {log}",
        "starting vLLM {version} for {models}; its log: {log}",
    ),
    "vllm.ready": ("vLLM 준비됨 ({seconds:.0f}초)", "vLLM is ready after {seconds:.0f} s"),
    "vllm.phase": ("vLLM: {phase}", "vLLM: {phase}"),
    "phase.weights": ("가중치를 읽고 있습니다", "loading the weights"),
    "phase.compiling": ("모델을 컴파일하고 있습니다", "compiling the model"),
    "phase.warming": ("예열하고 있습니다", "warming up"),
    "phase.graphs": ("CUDA 그래프를 만들고 있습니다", "capturing CUDA graphs"),
    "phase.adapter": ("어댑터 {name:을/를} 읽었습니다", "loaded the adapter {name}"),
    "serve.address": ("기본 URL", "base URL"),
    "serve.key": ("키", "key"),
    "serve.models": ("모델", "models"),
    "serve.log": ("로그", "log"),
    "serve.end": ("Ctrl-C로 끝냅니다.", "Ctrl-C ends it."),
    "serve.open": (
        "다른 사람도 {host}에 닿습니다. 키는 /v1만 지키고, /tokenize, /metrics 등 vLLM의 다른 경로는 지키지 않습니다",
        "others reach {host}: the key guards /v1, but not /tokenize, /metrics and what else vLLM offers",
    ),
    # Adapters and templates.
    "adapter.embeddings": (
        "{folder}: 임베딩 전체({name})가 들어 있는데 vLLM은 이것을 쓰지 않습니다. 임베딩을 학습했거나 크기를 바꿨다면 "
        "어댑터를 병합하고 그 폴더를 `model`로 지정하십시오",
        "{folder}: holds whole embeddings ({name}), which vLLM leaves out: if they were trained "
        "or resized, merge the adapter and give that folder as `model`",
    ),
    "adapter.task": (
        "{folder}: CAUSAL_LM이 아니라 {task}용으로 학습했습니다",
        "{folder}: was trained for {task}, not for CAUSAL_LM",
    ),
    "adapter.names": (
        "{folder}: 모듈 이름이 {base:와/과} 하나도 맞지 않습니다 (어댑터는 {there}, 모델은 {here} 식). "
        "vLLM이 짝을 찾지 못하면 어댑터는 효과가 없습니다",
        "{folder}: none of its modules is called as in {base} ({there} there, for example {here} here): "
        "if vLLM cannot match them, the adapter has no effect",
    ),
    "adapter.base": (
        "{name:은/는} {trained}에서 학습했는데 {served} 위에서 서빙합니다",
        "{name} was trained on {trained}, and is served on {served}",
    ),
    "adapter.base_fits": (
        "{name:은/는} {trained}에서 학습했는데 {served} 위에서 서빙합니다. 크기는 맞지만, 같은 모델인지는 직접 확인해야 합니다",
        "{name} was trained on {trained}, and is served on {served}: "
        "the shapes agree, whether it is the same model only you know",
    ),
    "template.none": (
        "{model}에 채팅 템플릿이 없습니다. 학습 때 쓴 것을 serving.chat_template에 지정하십시오",
        "{model} brings no chat template: set serving.chat_template to the one that training used",
    ),
    "template.other": (
        "{names} 옆에 저장된 채팅 템플릿과 서빙하는 템플릿이 다릅니다. 답변이 실제보다 나빠집니다. "
        "serving.chat_template에 저장된 것을 지정하십시오",
        "the chat template saved beside {names} is not the one that is served: "
        "answers will be worse than they are; set serving.chat_template to the saved one",
    ),
    "template.bos_twice": (
        "모든 프롬프트가 {bos} 두 개로 시작합니다. 채팅 템플릿도 쓰고 토크나이저도 쓰기 때문입니다. 한쪽에서 빼십시오",
        "every prompt begins with {bos} twice: the chat template writes it and so does the tokenizer; "
        "take it out of one of them",
    ),
    "template.no_bos": (
        "학습 때는 있던 {bos:이/가} 프롬프트 앞에 없습니다 ({why}). 답변이 실제보다 훨씬 나빠집니다. "
        "채팅 템플릿을 {{{{ bos_token }}}}으로 시작하십시오 (serving.chat_template)",
        "prompts do not begin with {bos}, though training had it ({why}): answers will be much "
        "worse than they are; begin the chat template with {{{{ bos_token }}}} (serving.chat_template)",
    ),
    "template.more": ("… {n}줄 더", "… {n} more lines"),
    "bos.template": ("{name} 옆에 저장된 템플릿이 씁니다", "the template saved beside {name} writes it"),
    "bos.tokenizer": (
        "{name} 옆에 저장된 토크나이저가 붙입니다",
        "the tokenizer saved beside {name} adds it",
    ),
    "bos.own": ("모델 자신의 템플릿이 씁니다", "the model's own template writes it"),
    "bos.kind": ("{kind} 모델은 늘 이것과 함께 학습했습니다", "{kind} models were never trained without it"),
    # Endpoints.
    "endpoint.open_key": (
        "{url:은/는} 암호화되지 않습니다. 가는 길에서 키를 읽을 수 있습니다",
        "{url} is not encrypted: the key can be read on the way there",
    ),
    "endpoint.without": (
        "{url:은/는} {name:을/를} 받지 않아서 빼고 계속합니다 ({detail})",
        "{url} does not take {name}: going on without it ({detail})",
    ),
    "endpoint.instead": (
        "{url:은/는} {name:을/를} 받지 않아서 {other:으로/로} 계속합니다 ({detail})",
        "{url} does not take {name}: going on with {other} ({detail})",
    ),
    "endpoint.remembered": (
        "{url:은/는} {list:을/를} 받지 않는다고 기억하고 있어서 빼고 묻습니다 ({date}). "
        "`simsa check --ask`로 새로 알아봅니다",
        "{url} is remembered not to take {list} ({date}): asking without; `simsa check --ask` finds it out anew",
    ),
    "endpoint.wait": (
        "{url:이/가} {seconds:.0f}초 기다리라고 합니다: {detail}",
        "{url} asks to wait {seconds:.0f} s: {detail}",
    ),
    # Judges.
    "judge.member_stopped": (
        "{name:이/가} 멈췄습니다. 나머지 심사 모델 {left}개로 계속합니다. {error}",
        "{name} has stopped; the panel goes on with the other {left}. {error}",
    ),
    "judge.unread": (
        "{judge}의 처음 답들을 하나도 판정으로 읽지 못했습니다. 이제부터는 한 번씩만 묻습니다. 한 말: «{said}»",
        "none of {judge}'s first answers could be read as a verdict; what follows is asked only once. "
        "It said: «{said}»",
    ),
    "judge.unread_claims": (
        "{judge}의 처음 답들을 하나도 주장 목록으로 읽지 못했습니다. 이제부터는 한 번씩만 묻습니다. 한 말: «{said}»",
        "none of {judge}'s first answers could be read as a list of claims; what follows is asked only once. "
        "It said: «{said}»",
    ),
    "judge.lexical": (
        "lexical 심사는 겹치는 낱말을 셉니다. 비교 기준일 뿐 LLM이 아니고, LLM을 대신하지 못합니다",
        "the lexical judge counts shared words; it is a baseline, not an LLM, and no substitute for one",
    ),
    "judge.repeats": (
        "온도 0에서는 반복해도 거의 같습니다. 심사의 흔들림을 재려면 judge.temperature를 정하십시오",
        "repeats at temperature 0 hardly differ; set judge.temperature to measure the judge's noise",
    ),
    "judge.even": (
        "심사 모델 수가 짝수라 가운데 두 점수 중 낮은 쪽을 씁니다",
        "of an even number of judges the lower of the two middle scores counts",
    ),
    "rubric.no_total": (
        "루브릭이 {list:을/를} 묻지 않으므로 총점이 없습니다",
        "the rubric does not ask for {list}, so there is no total",
    ),
    "rubric.never_shows": (
        "루브릭이 {list:을/를} 심사에 보여 주지 않습니다",
        "the rubric never shows {list} to the judge",
    ),
    "rubric.unnamed": (
        "루브릭이 {list:을/를} 묻지 않습니다. 그 점수가 없는 답은 채점되지 않습니다",
        "the rubric does not ask for {list}; answers without are unscored",
    ),
    # Batches.
    "batch.cancelling": ("배치 {id}: 취소하고 있습니다", "batch {id} is being cancelled"),
    "batch.given_up": (
        "요청 {n:,}개짜리 배치는 아무 데도 없어 포기합니다",
        "a batch of {n:,} requests is given up: nobody has it",
    ),
    "batch.stale": (
        "제출하지 않은 배치 하나는 다른 심사나 루브릭의 것이라 버렸습니다",
        "a batch that was never submitted was for another judge or rubric: dropped",
    ),
    "batch.submitted": ("배치 {id}: 요청 {n:,}개 제출", "batch {id}: {n:,} requests submitted"),
    "batch.submitted_price": (
        "배치 {id}: 요청 {n:,}개 제출, 배치 가격으로 약 {usd}",
        "batch {id}: {n:,} requests submitted, about {usd} at the batch price",
    ),
    "batch.lost_file": (
        "{path} 파일이 없어졌습니다. 그 요청은 다시 씁니다",
        "{path} is gone: its requests are written anew",
    ),
    "batch.failed": (
        "배치 {id} 실패: {why}. 그 요청은 한 번 더 제출합니다",
        "batch {id} failed: {why}; its requests are submitted once more",
    ),
    "batch.crowded": (
        "{why}: 나머지는 배치 하나가 끝날 때까지 기다립니다",
        "{why}: the rest waits until a batch is done",
    ),
    "batch.smaller": (
        "{why}: 배치 하나에 요청 {n:,}개씩 계속합니다",
        "{why}: going on with {n:,} requests a batch",
    ),
    "batch.silent": (
        "배치 {id} {status}: 요청 {n:,}개에 답이 없습니다",
        "batch {id} {status}: {n:,} requests without an answer",
    ),
    "batch.budget": (
        "요청 {n:,}개는 max_cost_usd = {limit}에 들지 않습니다 ({spent} 사용). 한도를 올리면 이어집니다",
        "{n:,} requests do not fit under max_cost_usd = {limit} ({spent} spent); a higher one goes on",
    ),
    "batch.one": ("배치 1개", "1 batch"),
    "batch.several": ("배치 {n}개", "{n} batches"),
    "batch.progress": (
        "{jobs}: {answered:,}/{total:,} 답변, {failed:,} 실패 ({states})",
        "{jobs}: {answered:,}/{total:,} answered, {failed:,} failed ({states})",
    ),
    "batch.progress_price": (
        "{jobs}: {answered:,}/{total:,} 답변, {failed:,} 실패, 배치 가격으로 약 {usd} ({states})",
        "{jobs}: {answered:,}/{total:,} answered, {failed:,} failed, about {usd} at the batch price ({states})",
    ),
    "state.open": ("열려 있음", "open"),
    "state.validating": ("확인 중", "validating"),
    "state.in_progress": ("진행 중", "in progress"),
    "state.finalizing": ("마무리 중", "finalizing"),
    "state.completed": ("끝남", "completed"),
    "state.failed": ("실패", "failed"),
    "state.expired": ("기한 지남", "expired"),
    "state.cancelling": ("취소 중", "cancelling"),
    "state.cancelled": ("취소됨", "cancelled"),
    "batch.fetch": (
        "`{command} --collect`로 끝난 것을 가져옵니다.",
        "`{command} --collect` fetches what is ready.",
    ),
    "batch.again": (
        "`{command}`로 (다시) 물을 요청 {n:,}개를 제출합니다.",
        "`{command}` submits what is to be asked (again): {n:,} requests.",
    ),
    "batch.written": (
        "{url}에 보낼 요청 {n:,}개짜리 배치를 썼지만 아직 제출하지 않았습니다.",
        "A batch of {n:,} requests for {url} is written, but not submitted.",
    ),
    "batch.stands": (
        "{url}의 배치 {id}: {state}, 요청 {n:,}개 중 {done:,}개 끝남.",
        "Batch {id} at {url} is {state}: {done:,} of {n:,} requests are done.",
    ),
    "batch.stands_until": (
        "{url}의 배치 {id}: {state}, 요청 {n:,}개 중 {done:,}개 끝남. {end}까지 기다려 줍니다.",
        "Batch {id} at {url} is {state}: {done:,} of {n:,} requests are done; its window ends on {end}.",
    ),
    "files.nothing": (
        "물을 것이 없어 쓸 파일도 없습니다",
        "nothing is to be asked: there is no file to write",
    ),
    "files.written": ("{path}: 요청 {n:,}개, {mb:,.1f} MB", "{path}: {n:,} requests, {mb:,.1f} MB"),
    "files.run": ("  실행: {command}", "  to be run: {command}"),
    "files.lines": ("줄: {list}", "lines: {list}"),
    "files.none": ("없음", "none"),
    "files.new": ("읽음 {n:,}", "{n:,} read"),
    "files.repeated": ("중복 {n:,}", "{n:,} a second time"),
    "files.known": ("이미 끝났거나 묻지 않는 것 {n:,}", "{n:,} not asked for (any more)"),
    "files.foreign": ("다른 데서 온 것 {n:,}", "{n:,} not ours"),
    "files.unasked": (
        "(다시) 물을 요청이 {n:,}개 있습니다: `simsa judge CONFIG --write-batch DIR`로 씁니다",
        "{n:,} requests are to be asked (again): `simsa judge CONFIG --write-batch DIR` writes them",
    ),
    # `simsa check`.
    "about.data": ("데이터", "data"),
    "about.training": ("학습 데이터", "training data"),
    "about.prompt": ("프롬프트", "prompt"),
    "about.serving": ("서빙", "serving"),
    "about.judge": ("심사", "judge"),
    "about.member": ("심사 {name}", "judge {name}"),
    "check.questions": ("{path}: 질문 {n:,}개", "{n:,} questions in {path}"),
    "check.predictions": ("{path}: 답변 {n:,}개", "{n:,} predictions in {path}"),
    "check.doubt": (
        "{total:,}행 중 {n:,}행: {doubt}: {examples}",
        "{n:,} of {total:,} rows: {doubt}: {examples}",
    ),
    "doubt.leaked_question": (
        "같은 질문이 학습 파일에도 있습니다",
        "the question is in the training file too",
    ),
    "doubt.leaked_passage": ("문맥이 학습 파일에도 있습니다", "a passage is in the training file too"),
    "doubt.duplicate_question": ("앞 행과 같은 질문입니다", "an earlier row asks the same"),
    "doubt.unsupported_reference": (
        "답이 있다고 되어 있지만, 문맥에 정답의 낱말이 거의 없습니다",
        "marked answerable, but the passages have hardly a word of the reference",
    ),
    "doubt.refusal_as_reference": (
        "답이 있다고 되어 있지만, 정답이 거절입니다",
        "marked answerable, but the reference is a refusal",
    ),
    "doubt.answer_as_reference": (
        "답이 없다고 되어 있지만, 정답이 답입니다",
        "marked unanswerable, but the reference is an answer",
    ),
    "check.no_leak": ("{path}에 테스트 세트와 겹치는 것이 없습니다", "nothing of the test set is in {path}"),
    "check.own_messages": ("행마다 있는 메시지", "the rows' own messages"),
    "check.with_messages": (
        "{text}; {n:,}행은 자기 메시지를 씁니다",
        "{text}; {n:,} rows bring their own messages",
    ),
    "check.one_vllm": ("vLLM 하나로 {names}", "one vLLM for {names}"),
    "check.no_judge": (
        "[judge]가 없습니다: 답변과 지표만 나옵니다",
        "no [judge]: only predictions and metrics will come out",
    ),
    "check.judge": ("{judge}, 루브릭 {rubric}, {mode}", "{judge}, rubric {rubric}, {mode}"),
    "check.batch_api": (
        "{url}: Batch API 있음, {discount:.0%} 할인",
        "{url} has a Batch API; {discount:.0%} off",
    ),
    "check.unlisted": (
        "{url}의 목록에 {model!r} 모델이 없습니다. 있는 것: {list}",
        "{url} lists no model {model!r}; it lists {list}",
    ),
    "check.answers": ("{url}: 응답합니다", "{url} answers"),
    "check.silent": (
        "{url:이/가} 작은 질문에 답하지 않았습니다",
        "{url} gave no answer to a small question",
    ),
    "check.takes": ("엔드포인트가 지원하는 것", "what the endpoints take"),
    "check.takes_unknown": (
        "{name}: 엔드포인트가 무엇을 지원하는지 아직 모릅니다. `simsa check --ask`로 알아봅니다",
        "{name}: what its endpoint takes is not known; `simsa check --ask` finds it out",
    ),
    "takes.schema": ("JSON 스키마", "JSON schema"),
    "takes.logprobs": ("토큰 확률", "token probabilities"),
    "takes.seed": ("시드", "seed"),
    "takes.temperature": ("온도", "temperature"),
    "takes.length": ("길이 제한", "length limit"),
    "takes.found": ("알아본 날", "found out"),
    "found_by.check": ("{date} check --ask, {n:,}토큰", "{date} check --ask, {n:,} tokens"),
    "found_by.run": ("{date} 실행 중", "{date} in a run"),
    "takes.yes": ("예", "yes"),
    "takes.no": ("아니요", "no"),
    "takes.untried": ("해 보지 않음", "not tried"),
    "takes.unheeded": ("받지만 지키지 않음", "taken, not heeded"),
    "takes.reasoning": ("아니요 (추론 모델?)", "no (a reasoning model?)"),
    "retires.in": (
        "{model:은/는} {days}일 뒤 {date}에 API에서 사라집니다",
        "{model} leaves the API on {date}, in {days} days",
    ),
    "retires.was": ("{model:은/는} {date}에 API에서 사라졌습니다", "{model} left the API on {date}"),
    "retires.long_ago": (
        "{model:은/는} 얼마 전에 API에서 사라졌습니다",
        "{model} left the API some time ago",
    ),
    "retires.aged": (
        "{text} ({month}에 알던 것이므로, 아직 그런지 확인하십시오)",
        "{text} (as it was known in {month}: look whether that still holds)",
    ),
    "retires.successor": (
        "{text}. 권하는 후속 모델: {successor}",
        "{text}; suggested successor: {successor}",
    ),
    # The other commands.
    "demo.converting": (
        "데모 모델을 변환하고 있습니다. 한 번만 하며 1분쯤 걸립니다: {folder}",
        "converting the demo model, once (about a minute): {folder}",
    ),
    "demo.worst": ("어디서 틀리는지", "where it goes wrong"),
    "demo.html": ("돌려 볼 보고서", "the report to show around"),
    "demo.gate": ("CI용 관문", "a gate for CI"),
    "demo.gpt": ("같은 것을 GPT-4o 심사로", "the same, judged by GPT-4o"),
    "demo.init": ("내 모델과 어댑터로", "your own model and adapter"),
    "examples.none": (
        "맞는 질문이 없습니다. 비교하는 변형마다 총점이 있어야 합니다. 빠진 것은 `simsa report`, 심사의 답은 `simsa view`에서 봅니다",
        "no question fits: a total is needed in every variant that is compared; "
        "`simsa report` says what is missing, `simsa view` shows each answer of the judge",
    ),
    "calibrate.not_kept": ("실행 폴더에 저장하지 못했습니다: {why}", "not kept in the run: {why}"),
    "convert.done": ("{path}: 질문 {n:,}개", "{n:,} questions in {path}"),
    "export.none": (
        "아직 답변이 없어서 내보낼 행이 없습니다. `simsa run`이 답변을 만듭니다: {run}",
        "there are no answers yet, so there is no row to hand on; `simsa run` makes them: {run}",
    ),
    "export.tracked": ("{place}: 변형 {n}개", "{n} variants in {place}"),
    "export.tracked_before": (
        "{place}: 변형 {n}개 (이미 있던 것)",
        "{n} variants in {place} (was there already)",
    ),
    "init.next": (
        "다음: 모델과 어댑터를 적고 `simsa check {folder}`",
        "next: name your model and adapter in it, then `simsa check {folder}`",
    ),
    "init.rubric": (
        '다음: 고친 뒤 simsa.toml의 [judge]에 rubric = "{name}"을 적습니다',
        'next: edit it, and write rubric = "{name}" under [judge] in simsa.toml',
    ),
    "metrics.title": ("지표 (근거가 된 행 수)", "Metrics (rows they rest on)"),
    "metrics.all": ("모든 행", "all rows"),
    "metrics.rows": ("행 · 답변 없음", "rows · no prediction"),
    "metrics.abstention": ("거절", "Abstention"),
    "metrics.precision": ("정밀도", "precision"),
    "metrics.recall": ("재현율", "recall"),
    "metrics.f1": ("F1", "F1"),
    "metrics.over_refusal_rate": ("과잉 거절률", "over-refusal rate"),
    "metrics.nothing": ("{name}: 필요한 것을 갖춘 행이 없습니다", "{name}: no row has what it needs"),
    "metrics.unreferenced": (
        "{n:,}행은 답이 있다고 되어 있지만 정답이 없습니다: KorQuAD와 KLUE-MRC는 빈 답을 기대하고, 다른 지표는 뺍니다",
        "{n:,} rows count as answerable but have no reference: "
        "KorQuAD and KLUE-MRC expect an empty answer there, the others leave them out",
    ),
}
