BEGIN TRANSACTION;
CREATE TABLE answers (
        serial INTEGER PRIMARY KEY AUTOINCREMENT, request_hash TEXT NOT NULL UNIQUE,
        prediction TEXT NOT NULL, finish_reason TEXT, prompt_tokens INTEGER,
        completion_tokens INTEGER, latency_s REAL, served_model TEXT, system_fingerprint TEXT
    );
INSERT INTO "answers" VALUES(1,'0b1360f1ca20c2d47de114915f4bf3fd','검색 결과만 근거로 질문에 한국어로 간결하게 답하세요. 근거가 된 문서의 번호를 [[ref1]]처럼 답 뒤에 적으세요. 검색 결과에 답이 없으면 "검색 결과','length',492,48,2.29,NULL,NULL);
INSERT INTO "answers" VALUES(2,'bcb0f6925817a48a8a2a59030607d46b','검색 결과:
[[ref4]] 하늬포시에서 열리는 물비늘 등불제는 1996년 항구 상인 열두 명이 손님을 끌려고 시작한 작은 야시장에서 비롯','length',411,48,8.084,NULL,NULL);
INSERT INTO "answers" VALUES(3,'34eeba766eaab0972518987b9d3b92b1','물비늘 등불제는 1996년 항구 상인 열두 명이 손님을 끌려고 시작한 작은 야시장에서 비롯되었다. [[ref1]] [[ref2]] [[ref3]] [[ref','length',492,48,63.994,NULL,NULL);
INSERT INTO "answers" VALUES(4,'67c361813a3b76ac63942c0d7a3242e0','검색 결과에서 답을 찾을 수 없습니다. [[ref1]] [[ref2]] [[ref3]] [[ref1]] [[ref2]] [[ref3]] [[ref1]] [[ref2]] [[ref3]] [[','length',411,48,64.262,NULL,NULL);
INSERT INTO "answers" VALUES(5,'8e9d392a00d38bdc1ad05a65b81c8b88','물비늘 등불제는 1996년 항구 상인 열두 명이 손님을 끌려고 시작한 작은 야시장에서 비롯되었습니다. [[ref5]]','stop',492,39,51.186,NULL,NULL);
INSERT INTO "answers" VALUES(6,'1c15def9d8d239a02517e6bb0b51583b','작년에 방문객이 4만 명에 그쳤습니다. [[ref2]]','stop',411,19,48.877,NULL,NULL);
CREATE TABLE batch_requests (
        request_hash TEXT PRIMARY KEY, batch TEXT, round INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0, estimate_usd REAL, so_far TEXT, reply TEXT
    ) WITHOUT ROWID;
CREATE TABLE batches (
        key TEXT PRIMARY KEY, base_url TEXT NOT NULL, judge_key TEXT NOT NULL, stage TEXT NOT NULL,
        created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')), form TEXT NOT NULL,
        requests INTEGER NOT NULL, bytes INTEGER NOT NULL, estimate_usd REAL,
        file_id TEXT, batch_id TEXT, status TEXT, answered INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0, expires_at INTEGER, output_file_id TEXT, error_file_id TEXT,
        heard_usd REAL NOT NULL DEFAULT 0, heard_estimate_usd REAL NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
CREATE TABLE examinations (
        judge_key TEXT PRIMARY KEY, document TEXT NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE failures (
        serial INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
        stage TEXT NOT NULL, question_id TEXT NOT NULL, variant TEXT NOT NULL, detail TEXT NOT NULL
    );
CREATE TABLE judgements (
        request_hash TEXT PRIMARY KEY, judge TEXT NOT NULL, rubric TEXT NOT NULL,
        status TEXT NOT NULL, answer_correctness INTEGER, context_relevance INTEGER,
        context_faithfulness INTEGER, context_recall INTEGER, analysis TEXT NOT NULL,
        raw TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL, cost_usd REAL, latency_s REAL NOT NULL,
        attempts INTEGER NOT NULL, detail TEXT NOT NULL
    , expected TEXT, claims TEXT, estimated_usd REAL);
INSERT INTO "judgements" VALUES('f0dc6c4254d5e28390f9d591ff4ba3f9','lexical','lexical@1','scored',1,2,5,5,'어휘 중복 기반 심사(LLM이 아님). answer_correctness: 정답의 형태소 5개 중 0개가 답변에 있음, 숫자가 다름. context_relevance: 질문의 형태소 57%가 한 문서에 있고 문서 5개 중 1개가 질문과 닿음. context_faithfulness: 답변의 형태소 10개 중 10개가 검색 결과에 있음. context_recall: 정답의 형태소 5개 중 5개가 검색 결과에 있음.','',0,0,0,0.0,0.0,1,'',NULL,NULL,NULL);
INSERT INTO "judgements" VALUES('ee3f20b4b5e67b66aec2cde62546961b','lexical','lexical@1','scored',1,2,5,5,'어휘 중복 기반 심사(LLM이 아님). answer_correctness: 정답의 형태소 5개 중 0개가 답변에 있음, 숫자가 다름. context_relevance: 질문의 형태소 57%가 한 문서에 있고 문서 5개 중 1개가 질문과 닿음. context_faithfulness: 답변의 형태소 11개 중 10개가 검색 결과에 있음. context_recall: 정답의 형태소 5개 중 5개가 검색 결과에 있음.','',0,0,0,0.0,0.0,1,'',NULL,NULL,NULL);
INSERT INTO "judgements" VALUES('e775cdf4f2a0096495ee2abce67bde08','lexical','lexical@1','scored',2,3,4,4,'어휘 중복 기반 심사(LLM이 아님). answer_correctness: 정답의 형태소 8개 중 2개가 답변에 있음, 숫자가 다름. context_relevance: 질문의 형태소 42%가 한 문서에 있고 문서 3개 중 2개가 질문과 닿음. context_faithfulness: 답변의 형태소 14개 중 12개가 검색 결과에 있음. context_recall: 정답의 형태소 8개 중 7개가 검색 결과에 있음.','',0,0,0,0.0,0.0,1,'',NULL,NULL,NULL);
INSERT INTO "judgements" VALUES('984a0276289bd1e350ef9f96fa1a477a','lexical','lexical@1','scored',1,3,5,4,'어휘 중복 기반 심사(LLM이 아님). answer_correctness: 답이 있는 질문에 답할 수 없다고 함. context_relevance: 질문의 형태소 42%가 한 문서에 있고 문서 3개 중 2개가 질문과 닿음. context_faithfulness: 답할 수 없다고만 하여 더한 내용이 없음. context_recall: 정답의 형태소 8개 중 7개가 검색 결과에 있음.','',0,0,0,0.0,0.0,1,'',NULL,NULL,NULL);
INSERT INTO "judgements" VALUES('08b310b87447ce7f80e61dc79af2dcda','lexical','lexical@1','scored',2,3,5,4,'어휘 중복 기반 심사(LLM이 아님). answer_correctness: 정답의 형태소 8개 중 3개가 답변에 있음. context_relevance: 질문의 형태소 42%가 한 문서에 있고 문서 3개 중 2개가 질문과 닿음. context_faithfulness: 답변의 형태소 4개 중 4개가 검색 결과에 있음. context_recall: 정답의 형태소 8개 중 7개가 검색 결과에 있음.','',0,0,0,0.0,0.0,1,'',NULL,NULL,NULL);
INSERT INTO "judgements" VALUES('a48b7b998d3ee8c69e82da501daecf92','lexical','lexical@1','scored',1,2,1,5,'어휘 중복 기반 심사(LLM이 아님). answer_correctness: 정답의 형태소 5개 중 0개가 답변에 있음. context_relevance: 질문의 형태소 57%가 한 문서에 있고 문서 5개 중 1개가 질문과 닿음. context_faithfulness: 답변의 형태소 12개 중 1개가 검색 결과에 있음. context_recall: 정답의 형태소 5개 중 5개가 검색 결과에 있음.','',0,0,0,0.0,0.0,1,'',NULL,NULL,NULL);
CREATE TABLE "judging" (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0,
        part TEXT NOT NULL, judge_key TEXT NOT NULL, answer_hash TEXT NOT NULL, request_hash TEXT NOT NULL,
        PRIMARY KEY (question_id, variant, sample, part)
    ) WITHOUT ROWID;
INSERT INTO "judging" VALUES('demo-001','base',0,'joint','d84239fcb0bbf9e121269b6660aada06','0b1360f1ca20c2d47de114915f4bf3fd','a48b7b998d3ee8c69e82da501daecf92');
INSERT INTO "judging" VALUES('demo-001','rag-early',0,'joint','d84239fcb0bbf9e121269b6660aada06','34eeba766eaab0972518987b9d3b92b1','ee3f20b4b5e67b66aec2cde62546961b');
INSERT INTO "judging" VALUES('demo-001','rag-final',0,'joint','d84239fcb0bbf9e121269b6660aada06','8e9d392a00d38bdc1ad05a65b81c8b88','f0dc6c4254d5e28390f9d591ff4ba3f9');
INSERT INTO "judging" VALUES('demo-002','base',0,'joint','d84239fcb0bbf9e121269b6660aada06','bcb0f6925817a48a8a2a59030607d46b','e775cdf4f2a0096495ee2abce67bde08');
INSERT INTO "judging" VALUES('demo-002','rag-early',0,'joint','d84239fcb0bbf9e121269b6660aada06','67c361813a3b76ac63942c0d7a3242e0','984a0276289bd1e350ef9f96fa1a477a');
INSERT INTO "judging" VALUES('demo-002','rag-final',0,'joint','d84239fcb0bbf9e121269b6660aada06','1c15def9d8d239a02517e6bb0b51583b','08b310b87447ce7f80e61dc79af2dcda');
CREATE TABLE measures (
        answer_hash TEXT NOT NULL, question_hash TEXT NOT NULL, version TEXT NOT NULL,
        figures TEXT NOT NULL, PRIMARY KEY (answer_hash, question_hash)
    ) WITHOUT ROWID;
INSERT INTO "measures" VALUES('0b1360f1ca20c2d47de114915f4bf3fd','f12ec8f474d0560a6f4a637cebe59170','0.1.0','{"korquad_em":0.0,"korquad_f1":0.11235955056179775,"klue_em":0.0,"klue_rouge_w":0.06779661016949153,"chrf":8.847409304249775,"rouge_l":0.2,"lenient_em":0.0,"lenient_f1":0.030303030303030307,"contains_reference":0.0,"context_overlap":0.05263157894736842,"citation_precision":0.0,"citation_recall":0.0,"citations_out_of_range":0,"abstained":0.0}');
INSERT INTO "measures" VALUES('1c15def9d8d239a02517e6bb0b51583b','6c7615320479cb46622d17ddbf0fb127','0.1.0','{"korquad_em":0.0,"korquad_f1":0.4285714285714285,"klue_em":0.0,"klue_rouge_w":0.1758241758241758,"chrf":23.4946372697186,"rouge_l":0.4666666666666667,"lenient_em":0.0,"lenient_f1":0.44897959183673475,"contains_reference":0.0,"context_overlap":1.0,"citation_precision":1.0,"citation_recall":0.5,"citations_out_of_range":0,"abstained":0.0}');
INSERT INTO "measures" VALUES('34eeba766eaab0972518987b9d3b92b1','f12ec8f474d0560a6f4a637cebe59170','0.1.0','{"korquad_em":0.0,"korquad_f1":0.32941176470588235,"klue_em":0.0,"klue_rouge_w":0.16363636363636364,"chrf":25.223880406854438,"rouge_l":0.32432432432432434,"lenient_em":0.0,"lenient_f1":0.2622950819672131,"contains_reference":0.0,"context_overlap":0.7142857142857143,"citation_precision":0.0,"citation_recall":0.0,"citations_out_of_range":0,"abstained":0.0}');
INSERT INTO "measures" VALUES('67c361813a3b76ac63942c0d7a3242e0','6c7615320479cb46622d17ddbf0fb127','0.1.0','{"korquad_em":0.0,"korquad_f1":0.2376237623762376,"klue_em":0.0,"klue_rouge_w":0.13740458015267176,"chrf":27.759690919338777,"rouge_l":0.25688073394495414,"lenient_em":0.0,"lenient_f1":0.125,"contains_reference":0.0,"context_overlap":0.0,"citation_precision":0.6666666666666666,"citation_recall":1.0,"citations_out_of_range":0,"abstained":1.0}');
INSERT INTO "measures" VALUES('8e9d392a00d38bdc1ad05a65b81c8b88','f12ec8f474d0560a6f4a637cebe59170','0.1.0','{"korquad_em":0.0,"korquad_f1":0.4210526315789473,"klue_em":0.0,"klue_rouge_w":0.1836734693877551,"chrf":37.98228430543229,"rouge_l":0.4406779661016949,"lenient_em":0.0,"lenient_f1":0.3,"contains_reference":0.0,"context_overlap":0.7692307692307693,"citation_precision":1.0,"citation_recall":1.0,"citations_out_of_range":0,"abstained":0.0}');
INSERT INTO "measures" VALUES('bcb0f6925817a48a8a2a59030607d46b','6c7615320479cb46622d17ddbf0fb127','0.1.0','{"korquad_em":0.0,"korquad_f1":0.3047619047619048,"klue_em":0.0,"klue_rouge_w":0.11594202898550725,"chrf":13.049784315472277,"rouge_l":0.12658227848101267,"lenient_em":0.0,"lenient_f1":0.275,"contains_reference":0.0,"context_overlap":0.875,"citation_precision":null,"citation_recall":0.0,"citations_out_of_range":1,"abstained":0.0}');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('baseline','"base"');
INSERT INTO "meta" VALUES('config','{"data":{"path":"test.jsonl","format":"auto","limit":2,"fields":{},"split":null},"serving":{"model":null,"dtype":null,"max_model_len":null,"chat_template":null,"args":{},"env":{},"start_timeout_s":900.0,"max_concurrency":256,"request_timeout_s":600.0,"check_adapters":true},"variants":[{"name":"base","adapter":null,"model":null,"endpoint":null,"predictions":"predictions.jsonl"},{"name":"rag-early","adapter":null,"model":null,"endpoint":null,"predictions":"predictions.jsonl"},{"name":"rag-final","adapter":null,"model":null,"endpoint":null,"predictions":"predictions.jsonl"}],"generation":{"prompt":"rag-ko","temperature":0.0,"top_p":null,"max_tokens":48,"seed":0,"samples":1,"stop":[],"extra_body":{},"max_attempts":4},"judge":{"model":"lexical","panel":[],"adapter":null,"base_url":"https://api.openai.com/v1","identity":null,"api_key_env":null,"rubric":"rag-ko","mode":"joint","via":"direct","batch":{"max_requests":50000,"max_mb":200.0,"window":"24h","discount":0.5,"poll_s":60.0,"settle_s":15.0},"temperature":0.0,"max_tokens":1024,"seed":0,"repeats":1,"logprobs":false,"claims":false,"max_concurrency":64,"max_attempts":4,"timeout_s":120.0,"max_cost_usd":null,"price":null,"extra_body":{},"note":null},"report":{"language":"ko","baseline":"base"}}');
INSERT INTO "meta" VALUES('data','{"n":2,"answerable":2,"unanswerable":0,"types":{"mrc_question_with_1_to_4_negative":1,"synthetic_question":1},"n_clusters":1,"question_length":{"min":24,"median":36.0,"max":48},"contexts_length":{"min":456,"median":524.5,"max":593},"reference_length":{"min":43,"median":59.5,"max":76},"passages":{"min":3,"median":4.0,"max":5},"examples":[{"id":"demo-001","question":"물비늘 등불제는 해마다 언제 막을 올리나요?","reference":"물비늘 등불제는 해마다 9월 셋째 주 수요일에 막을 올립니다. [[ref5]]","answerable":true,"type":"mrc_question_with_1_to_4_negative","n_passages":5},{"id":"demo-002","question":"물비늘 등불제와 너울 미역 잔치 가운데 작년에 더 많은 사람이 찾은 행사는 무엇인가요?","reference":"작년 방문객은 물비늘 등불제가 18만 명, 너울 미역 잔치가 4만 명으로 물비늘 등불제가 더 많았습니다. [[ref2]] [[ref1]]","answerable":true,"type":"synthetic_question","n_passages":3}]}');
INSERT INTO "meta" VALUES('judge','{"model":"lexical","rubric":"lexical@1","mode":"joint","key":"d84239fcb0bbf9e121269b6660aada06"}');
INSERT INTO "meta" VALUES('language','"ko"');
INSERT INTO "meta" VALUES('made','{"versions":{"python":"3.11.7","platform":"Linux-6.18.44-fc-v657-x86_64-with-glibc2.36","torch":"2.13.0+cpu","transformers":"5.19.0","kiwipiepy":"0.24.1","numpy":"2.3.5","scipy":"1.17.1"}}');
INSERT INTO "meta" VALUES('notes','[{"kind":"judge","text":"the lexical judge counts shared words; it is a baseline, not an LLM, and no substitute for one","ko":"lexical 심사는 겹치는 낱말을 셉니다. 비교 기준일 뿐 LLM이 아니고, LLM을 대신하지 못합니다"}]');
INSERT INTO "meta" VALUES('root','"/run"');
INSERT INTO "meta" VALUES('run','{"id":"ef05b2abf3a9","created":"2026-11-25T00:47:54+00:00","config_hash":"4a386e105c26146fc9ed8622a8c54178","data_hash":"d83390c694433e103fdd749800d1144f","simsa_version":"0.1.0"}');
INSERT INTO "meta" VALUES('stopped','null');
INSERT INTO "meta" VALUES('timing','{"judge":{"rows":6,"seconds":1.298}}');
CREATE TABLE "plan" (
        question_id TEXT NOT NULL, variant TEXT NOT NULL, sample INTEGER NOT NULL DEFAULT 0,
        request_hash TEXT NOT NULL, PRIMARY KEY (question_id, variant, sample)
    ) WITHOUT ROWID;
INSERT INTO "plan" VALUES('demo-001','base',0,'0b1360f1ca20c2d47de114915f4bf3fd');
INSERT INTO "plan" VALUES('demo-002','rag-final',0,'1c15def9d8d239a02517e6bb0b51583b');
INSERT INTO "plan" VALUES('demo-001','rag-early',0,'34eeba766eaab0972518987b9d3b92b1');
INSERT INTO "plan" VALUES('demo-002','rag-early',0,'67c361813a3b76ac63942c0d7a3242e0');
INSERT INTO "plan" VALUES('demo-001','rag-final',0,'8e9d392a00d38bdc1ad05a65b81c8b88');
INSERT INTO "plan" VALUES('demo-002','base',0,'bcb0f6925817a48a8a2a59030607d46b');
CREATE TABLE questions (
        id TEXT PRIMARY KEY, position INTEGER NOT NULL, hash TEXT NOT NULL,
        type TEXT, answerable INTEGER NOT NULL, cluster TEXT NOT NULL, row TEXT NOT NULL
    );
INSERT INTO "questions" VALUES('demo-001',0,'f12ec8f474d0560a6f4a637cebe59170','mrc_question_with_1_to_4_negative',1,'lantern-festival','{"id":"demo-001","question":"물비늘 등불제는 해마다 언제 막을 올리나요?","contexts":["하늬포시 시립 합창단은 시민이라면 누구나 오디션을 볼 수 있다. 올해는 46명을 새로 뽑았으며 연습은 매주 화요일 저녁에 한다.","하늬포시는 축제 기간에 항구로 들어오는 차를 막고 무료 버스 스무 대를 돌린다. 버스는 15분마다 시청 앞에서 떠난다.","산골인 두멧골군에서는 매년 10월 첫째 주말에 도토리 축제를 연다. 이틀 동안 열리며 도토리묵 빨리 먹기가 인기이다. 작년에는 6천 명이 다녀갔다.","하늬포시에서 기차로 한 시간 거리인 너울읍에서는 매년 5월 너울 미역 잔치가 열린다. 어촌계가 주관하는 이 행사는 사흘 동안 이어지며, 미역 빨리 널기 대회가 가장 큰 인기를 끈다. 작년 방문객은 4만 명이었고 입장료는 받지 않는다.","하늬포시에서 열리는 물비늘 등불제는 1996년 항구 상인 열두 명이 손님을 끌려고 시작한 작은 야시장에서 비롯되었다. 2004년부터는 시가 비용의 절반을 대면서 지금과 같은 닷새짜리 축제로 커졌고, 2011년에는 처음으로 외국 공연단을 초청했다. 해마다 9월 셋째 주 수요일에 막을 올리며, 마지막 날 밤 방파제에서 종이배 천 척에 불을 밝혀 띄우는 행사가 절정을 이룬다. 작년에는 비가 내려 방문객이 예년보다 적은 18만 명에 그쳤다."],"reference":"물비늘 등불제는 해마다 9월 셋째 주 수요일에 막을 올립니다. [[ref5]]","answerable":true,"type":"mrc_question_with_1_to_4_negative","cluster":"lantern-festival","citations":[5],"metadata":{}}');
INSERT INTO "questions" VALUES('demo-002',1,'6c7615320479cb46622d17ddbf0fb127','synthetic_question',1,'lantern-festival','{"id":"demo-002","question":"물비늘 등불제와 너울 미역 잔치 가운데 작년에 더 많은 사람이 찾은 행사는 무엇인가요?","contexts":["하늬포시에서 기차로 한 시간 거리인 너울읍에서는 매년 5월 너울 미역 잔치가 열린다. 어촌계가 주관하는 이 행사는 사흘 동안 이어지며, 미역 빨리 널기 대회가 가장 큰 인기를 끈다. 작년 방문객은 4만 명이었고 입장료는 받지 않는다.","하늬포시에서 열리는 물비늘 등불제는 1996년 항구 상인 열두 명이 손님을 끌려고 시작한 작은 야시장에서 비롯되었다. 2004년부터는 시가 비용의 절반을 대면서 지금과 같은 닷새짜리 축제로 커졌고, 2011년에는 처음으로 외국 공연단을 초청했다. 해마다 9월 셋째 주 수요일에 막을 올리며, 마지막 날 밤 방파제에서 종이배 천 척에 불을 밝혀 띄우는 행사가 절정을 이룬다. 작년에는 비가 내려 방문객이 예년보다 적은 18만 명에 그쳤다.","산골인 두멧골군에서는 매년 10월 첫째 주말에 도토리 축제를 연다. 이틀 동안 열리며 도토리묵 빨리 먹기가 인기이다. 작년에는 6천 명이 다녀갔다."],"reference":"작년 방문객은 물비늘 등불제가 18만 명, 너울 미역 잔치가 4만 명으로 물비늘 등불제가 더 많았습니다. [[ref2]] [[ref1]]","answerable":true,"type":"synthetic_question","cluster":"lantern-festival","citations":[1,2],"metadata":{}}');
CREATE TABLE standing (
        criterion_hash TEXT PRIMARY KEY, request_hash TEXT NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE variants (
        name TEXT PRIMARY KEY, position INTEGER NOT NULL, info TEXT NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "variants" VALUES('base',0,'{"predictions":"predictions.jsonl"}');
INSERT INTO "variants" VALUES('rag-early',1,'{"predictions":"predictions.jsonl"}');
INSERT INTO "variants" VALUES('rag-final',2,'{"predictions":"predictions.jsonl"}');
CREATE TABLE voices (
        request_hash TEXT NOT NULL, position INTEGER NOT NULL, role TEXT NOT NULL,
        name TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (request_hash, position)
    ) WITHOUT ROWID;
CREATE INDEX questions_position ON questions (position);
CREATE INDEX voices_source ON voices (source);
CREATE INDEX judgements_unscored ON judgements (status) WHERE status <> 'scored';
CREATE INDEX batch_requests_batch ON batch_requests (batch);
CREATE INDEX plan_request ON plan (request_hash);
CREATE VIEW results AS
    SELECT p.question_id, p.variant, p.sample, p.request_hash AS answer_hash, a.prediction, a.finish_reason,
        a.prompt_tokens, a.completion_tokens, a.latency_s, a.served_model, a.system_fingerprint,
        count(j.request_hash) AS parts,
        min(j.judge) AS judge, min(j.rubric) AS rubric,
        max(CASE WHEN j.status <> 'scored' THEN j.status END) AS unscored,
        max(j.answer_correctness) AS answer_correctness,
        max(j.context_relevance) AS context_relevance,
        max(j.context_faithfulness) AS context_faithfulness,
        max(j.context_recall) AS context_recall
    FROM plan p
    LEFT JOIN answers a ON a.request_hash = p.request_hash
    LEFT JOIN judging g ON g.question_id = p.question_id AND g.variant = p.variant AND g.sample = p.sample
        AND g.answer_hash = p.request_hash AND g.part <> 'claims'
    LEFT JOIN judgements j ON j.request_hash = g.request_hash
    GROUP BY p.question_id, p.variant, p.sample;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('answers',6);
COMMIT;
PRAGMA user_version = 6;
