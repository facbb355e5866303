"""Writes invented Korean question-answer rows to train a small model for RAG.

    python recipes/make_data.py --out train.jsonl

Each row has the fields of `iamjoon/klue-mrc-ko-rag-dataset`: `question`,
`search_result` (passages), `answer` (with `[[refN]]`), `extracted_ref_numbers`,
`type`. Names, facts and sentences come from `facts_ko.toml`; nothing is about a
real place, person or thing. The same seed gives the same rows.

What the rows teach, beyond copying a fact: to keep apart entities of one kind, to
prefer the asked attribute over another of the same form, to combine passages, to
follow a relation from one passage to the next, and to say when nothing is there.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from josa import fill, formal, interrogative, joined, particle

ROWS, SEED = 820, 7
REFUSAL = "검색 결과에서 답을 찾을 수 없습니다."
FACTS = tomllib.loads(Path(__file__).with_name("facts_ko.toml").read_text(encoding="utf-8"))
KINDS: dict[str, dict[str, Any]] = {name: kind for name, kind in FACTS.items() if "facts" in kind}
TOPICS: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("documents_ko.toml").read_text(encoding="utf-8")
)["topic"]
LEADS: list[str] = FACTS["lead"]
NOISE: list[str] = FACTS["noise"]
WORDS: dict[str, list[str]] = {key: words.split(" ") for key, words in FACTS["words"].items()}


@dataclass
class Entity:
    """One invented thing and all that is true of it."""

    kind: str
    name: str
    values: dict[str, str] = field(default_factory=dict)
    linked: dict[str, Entity] = field(default_factory=dict)

    @property
    def facts(self) -> list[dict[str, Any]]:
        return list(KINDS[self.kind]["facts"])


@dataclass
class Told:
    """A passage, and what it tells of which entity."""

    entity: Entity
    facts: list[dict[str, Any]]
    text: str


class World:
    """Makes entities, passages and rows from one random generator."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._asks: list[tuple[dict[str, Any], list[Any]]] = []

    def rows(self, n: int) -> Iterator[dict[str, Any]]:
        """`n` rows, the types mixed as below."""
        makers: list[tuple[Callable[[], dict[str, Any]], int]] = [
            (lambda: self.single("mrc_question"), 14),
            (lambda: self.single("mrc_question_with_1_to_4_negative"), 22),
            (lambda: self.single("paraphrased_question"), 16),
            (self.both_of_two, 6),
            (self.compared, 5),
            (self.two_facts, 5),
            (self.followed, 6),
            (self.unanswerable, 30),
            (self.written, 50),
        ]
        chosen = self.rng.choices([m for m, _ in makers], [w for _, w in makers], k=n)
        for make in chosen:
            yield make()

    # Entities

    def text(self, pattern: str) -> str:
        """Fills a value or name pattern: `{person}`, `{12-480}`, `{900-9800:100}`, `a|b`…"""
        option = self.rng.choice(_split(pattern))
        return re.sub(r"\{([^{}]+)\}", lambda m: self._piece(m[1]), option)

    def _piece(self, code: str) -> str:
        rng = self.rng
        if "|" in code:
            return rng.choice(code.split("|"))
        if code[0].isdigit():
            span, _, step = code.partition(":")
            low, high = map(int, span.split("-"))
            number = rng.randrange(low, high + 1, int(step or 1))
            plain = high < 2100 and low > 1850
            return str(number) if plain else f"{number:,}"
        word, _, josa = code.partition(":")
        made = {
            "syl": lambda: rng.choice(WORDS["first"]),
            "syl2": lambda: rng.choice(WORDS["second"]),
            "person": lambda: (
                rng.choice(WORDS["surname"]) + rng.choice(WORDS["given"]) + rng.choice(WORDS["given"])
            ),
            "given": lambda: rng.choice(WORDS["given"]) + rng.choice(WORDS["given"]),
            "place": lambda: (
                rng.choice(WORDS["first"]) + rng.choice(WORDS["second"]) + rng.choice(WORDS["place_ending"])
            ),
            "noun": lambda: rng.choice(WORDS["noun"]),
            "noun2": lambda: rng.choice(WORDS["noun2"]),
            "thing": lambda: rng.choice(WORDS["thing"]),
            "year": lambda: str(rng.randint(1905, 2023)),
            "ymd": lambda: f"{rng.randint(1931, 2024)}년 {rng.randint(1, 12)}월 {rng.randint(1, 28)}일",
        }[word]()
        return particle(made, josa) if josa else made

    def entity(self, kind: str, like: Entity | None = None) -> Entity:
        """A new entity; `like` another, its name may be close to that one's."""
        name = self.text(self.rng.choice(KINDS[kind]["name"]))
        if like and self.rng.random() < 0.4:
            name = re.sub(r"[가-힣]", like.name[like.name.startswith("《")], name, count=1)
            if name == like.name:
                return self.entity(kind)
        made = Entity(kind, name)
        for fact in made.facts:
            if fact["v"].startswith("{@"):
                made.linked[fact["k"]] = self.entity(fact["v"][2:-1])
                made.values[fact["k"]] = made.linked[fact["k"]].name
            else:
                made.values[fact["k"]] = self.text(fact["v"])
        return made

    # Passages

    def passage(self, entity: Entity, facts: list[dict[str, Any]]) -> str:
        """Sentences about an entity that state just these facts, among others that state none."""
        rng, kind = self.rng, KINDS[entity.kind]
        told = [(self.statement(entity, fact), entity.values[fact["k"]]) for fact in facts]
        rng.shuffle(told)
        if rng.random() < 0.4:
            told.insert(0, (rng.choice(kind["intro"]), ""))
        sentences: list[str] = []
        for template, value in told:
            subject, roll = entity.name, rng.random()
            if sentences and roll < 0.5:
                subject = rng.choice(kind["it"])
            elif sentences and roll < 0.6:
                template = template.removeprefix("{s:은} ")
            place, year = self.text("{place}"), self.text("{year}")
            sentence = fill(template, s=subject, v=value, place=place, year=year)
            if sentences and rng.random() < 0.2:
                sentences[-1] = joined(sentences[-1], sentence)
            else:
                lead = f"{rng.choice(LEADS)} " if sentences and rng.random() < 0.25 else ""
                sentences.append(lead + sentence)
        extra = rng.sample(kind["filler"], rng.choice((0, 0, 1))) + rng.sample(
            NOISE, rng.choice((0, 0, 1, 1, 2))
        )
        for sentence in extra:
            sentences.insert(rng.randint(1, len(sentences)), self.text(sentence))
        if rng.random() < 0.3:
            sentences = [formal(s) for s in sentences]
        return " ".join(sentences)

    def statement(self, entity: Entity, fact: dict[str, Any]) -> str:
        """One way to state a fact; now and then beside an outdated value."""
        if self.rng.random() < 0.08 and "a" not in fact and not fact["v"].startswith("{@"):
            old = self.text(fact["v"])
            if old != entity.values[fact["k"]]:
                return f"{{s}}의 {particle(fact['k'], '은')} 한때 {particle(old, '으로')} 알려졌지만 실제로는 {{v}}이다."
        return str(self.rng.choice(fact["s"]))

    def others(
        self, entity: Entity, without: dict[str, Any] | None = None, asked: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Further facts for a passage: often one that answers the same kind of question as `asked`."""
        rng = self.rng
        pool = [f for f in entity.facts if f is not without and f is not asked]
        same = [f for f in pool if asked and f["w"] == asked["w"]]
        some = rng.sample(pool, rng.choice((0, 1, 1, 2, 2, 3)))
        if same and not any(f in some for f in same) and rng.random() < 0.7:
            some.append(rng.choice(same))
        return some

    def negatives(self, entity: Entity, asked: dict[str, Any], n: int) -> list[str]:
        """`n` passages about something else, mostly of the same kind, mostly with the asked attribute."""
        return [told.text for told in self.distractors(entity, asked, n)]

    def tell(self, entity: Entity, facts: list[dict[str, Any]]) -> Told:
        return Told(entity, facts, self.passage(entity, facts))

    def distractors(self, entity: Entity, asked: dict[str, Any], n: int) -> list[Told]:
        """The same, with what each passage tells."""
        found = []
        for _ in range(n):
            if self.rng.random() < 0.75:
                other = self.entity(entity.kind, like=entity)
                if other.name == entity.name:
                    continue
                facts = self.others(other, asked=asked)
                if self.rng.random() < 0.7 or not facts:
                    facts.append(asked)
            else:
                other = self.entity(self.rng.choice(list(KINDS)))
                facts = self.others(other) or other.facts[:1]
            found.append(self.tell(other, facts))
        return found

    # Questions and answers

    def ask(self, fact: dict[str, Any], subject: str, paraphrased: bool = False) -> str:
        """One way to ask for a fact."""
        plain = [f"{{s}}의 {{k:은}} {fact['w']}인가요?", "{s}의 {k:을} 알려줘."]
        question = self.rng.choice(fact["p"] if paraphrased else [*plain, *fact["q"], *fact["q"]])
        return self.reworded(fill(question, s=subject, k=fact["k"]))

    def reworded(self, question: str) -> str:
        """The same question with another ending, sometimes."""
        roll = self.rng.random()
        if roll < 0.15:
            return re.sub(r"인가요\?$", "입니까?", question)
        if roll < 0.3:
            return re.sub(r"인가요\?$", "인가?", question)
        if roll < 0.45:
            return re.sub(r"나요\?$", "는지 알려줘.", re.sub(r"인가요\?$", "인지 말해줘.", question))
        if roll < 0.52:
            return f"문서에 따르면 {question}"
        if roll < 0.57:
            return re.sub(r"인가요\?$", "이라고 하나요?", question) if "무엇인가요" in question else question
        return question

    def say(self, fact: dict[str, Any], entity: Entity, subject: str | None = None) -> str:
        template = fact.get("a", "{s}의 {k:은} {v}입니다.")
        return fill(template, s=subject or entity.name, k=fact["k"], v=entity.values[fact["k"]])

    def row(
        self, kind: str, question: str, answer: str, right: list[str], wrong: list[str]
    ) -> dict[str, Any]:
        """Shuffles the passages and cites the right ones in the order in which the answer uses them."""
        passages = right + wrong
        self.rng.shuffle(passages)
        refs = [passages.index(text) + 1 for text in right] if answer != REFUSAL else []
        cited = " ".join([answer, *(f"[[ref{n}]]" for n in refs)])
        return {
            "question": question,
            "search_result": passages,
            "answer": cited,
            "extracted_ref_numbers": sorted(refs),
            "type": kind,
        }

    def single(self, kind: str) -> dict[str, Any]:
        """One fact from one passage."""
        target = self.entity(self.rng.choice(list(KINDS)))
        fact = self.rng.choice(target.facts)
        right = self.passage(target, [fact, *self.others(target, asked=fact)])
        n = {"mrc_question": (0,), "paraphrased_question": (0, 1, 2, 3)}.get(kind, (1, 2, 2, 3, 4))
        question = self.ask(fact, target.name, paraphrased=kind == "paraphrased_question")
        wrong = self.negatives(target, fact, self.rng.choice(n))
        return self.row(kind, question, self.say(fact, target), [right], wrong)

    def pair(self, usable: Callable[[dict[str, Any]], bool]) -> tuple[Entity, Entity, dict[str, Any]]:
        """Two entities of one kind and a fact of both."""
        kind = self.rng.choice([k for k, v in KINDS.items() if any(map(usable, v["facts"]))])
        fact = self.rng.choice([f for f in KINDS[kind]["facts"] if usable(f)])
        one = self.entity(kind)
        two = self.entity(kind, like=one)
        same_form = _split(fact["v"])[0]
        for entity in (one, two):
            if not same_form.startswith("{@"):
                entity.values[fact["k"]] = self.text(same_form)
        return one, two, fact

    def both_of_two(self) -> dict[str, Any]:
        """The same attribute of two entities."""
        one, two, fact = self.pair(lambda f: "a" not in f)
        k, w = fact["k"], fact["w"]
        question = self.rng.choice(
            [f"{{a:과}} {{b}}의 {{k:은}} 각각 {w}인가요?", "{a:과} {b}의 {k:을} 각각 알려줘."]
        )
        answer = fill(
            "{a}의 {k:은} {x}이고, {b}의 {k:은} {y}입니다.",
            a=one.name, b=two.name, k=k, x=one.values[k], y=two.values[k],
        )  # fmt: skip
        right = [self.passage(e, [fact, *self.others(e, asked=fact)]) for e in (one, two)]
        wrong = self.negatives(one, fact, self.rng.choice((0, 0, 1, 2)))
        return self.row(
            "synthetic_question", fill(question, a=one.name, b=two.name, k=k), answer, right, wrong
        )

    def compared(self) -> dict[str, Any]:
        """Which of two has more of something; the answer states both values before it decides."""
        one, two, fact = self.pair(lambda f: "more" in f or "less" in f)
        k, claim = fact["k"], fact.get("more") or fact["less"]
        x, y = number(one.values[k]), number(two.values[k])
        if x == y:
            return self.compared()
        winner = one if (x > y) == ("more" in fact) else two
        question = fill("{a:과} {b} 중 어느 쪽이 {q}?", a=one.name, b=two.name, q=interrogative(claim))
        answer = fill(
            "{a}의 {k:은} {x}, {b}의 {k:은} {y}이므로 {w:이} {c}.",
            a=one.name, b=two.name, k=k, x=one.values[k], y=two.values[k], w=winner.name, c=claim,
        )  # fmt: skip
        right = [self.passage(e, [fact, *self.others(e, asked=fact)]) for e in (one, two)]
        wrong = self.negatives(one, fact, self.rng.choice((0, 0, 1)))
        return self.row("synthetic_question", question, answer, right, wrong)

    def two_facts(self) -> dict[str, Any]:
        """Two facts of one entity from two passages."""
        target = self.entity(self.rng.choice(list(KINDS)))
        facts = self.rng.sample(target.facts, 2)
        question = fill(
            "{s}의 {k:과} {j:은} 각각 무엇인가요?", s=target.name, k=facts[0]["k"], j=facts[1]["k"]
        )
        answer = f"{self.say(facts[0], target)} {self.say(facts[1], target, KINDS[target.kind]['it'][0])}"
        rest = [f for f in target.facts if f not in facts]
        right = [
            self.passage(target, [fact, *self.rng.sample(rest, self.rng.choice((0, 1)))]) for fact in facts
        ]
        wrong = self.negatives(target, facts[0], self.rng.choice((0, 1, 2)))
        return self.row("synthetic_question", question, answer, right, wrong)

    def followed(self) -> dict[str, Any]:
        """A relation leads from the passage that names an entity to the one that tells about it."""
        kind = self.rng.choice([k for k, v in KINDS.items() if any("b" in f for f in v["facts"])])
        first = self.entity(kind)
        link = next(f for f in first.facts if "b" in f)
        second = first.linked[link["k"]]
        fact = self.rng.choice([f for f in second.facts if "b" not in f])
        question = self.ask(fact, fill(link["b"], s=first.name))
        right = [
            self.passage(first, [link, *self.others(first, asked=link)]),
            self.passage(second, [fact, *self.others(second, asked=fact)]),
        ]
        wrong = self.negatives(second, fact, self.rng.choice((0, 1, 2)))
        return self.row("synthetic_question", question, self.say(fact, second), right, wrong)

    def unanswerable(self) -> dict[str, Any]:
        """The asked attribute is missing, or the asked entity is."""
        target = self.entity(self.rng.choice(list(KINDS)))
        fact = self.rng.choice(target.facts)
        present = self.rng.random() < 0.7
        wrong = self.negatives(target, fact, self.rng.choice((0, 0, 1, 2, 3) if present else (1, 2, 3, 4)))
        if present:
            others = self.others(target, asked=fact) or [f for f in target.facts if f is not fact][:2]
            wrong.append(self.passage(target, others))
        question = self.ask(fact, target.name, paraphrased=self.rng.random() < 0.35)
        return self.row("no_answer", question, REFUSAL, [], wrong)

    def written(self) -> dict[str, Any]:
        """A question on hand-written documents, among other passages; sometimes without the one it needs."""
        rng = self.rng
        if not self._asks:
            self._asks = [(topic, ask) for topic in TOPICS for ask in topic["ask"]]
            rng.shuffle(self._asks)
        topic, (code, needed, question, answer) = self._asks.pop()
        documents = [topic["docs"][n - 1] for n in needed]
        siblings = [text for text in topic["docs"] if text not in documents]
        if code in "mp" and siblings and rng.random() < 0.15:
            code, documents = "n", siblings
        other = self.entity(rng.choice(list(KINDS)))
        far = [
            *(rng.choice(t["docs"]) for t in rng.sample(TOPICS, 2) if t is not topic),
            self.passage(other, self.others(other) or other.facts[:1]),
        ]
        wrong = rng.sample(far, rng.choice((0, 0, 0, 1, 1, 2)))
        if code == "n":
            return self.row("no_answer", self.reworded(question), REFUSAL, [], documents + wrong)
        if rng.random() < 0.6:
            wrong += siblings
        direct = "mrc_question_with_1_to_4_negative" if wrong else "mrc_question"
        kind = {"m": direct, "p": "paraphrased_question", "s": "synthetic_question"}[code]
        return self.row(kind, self.reworded(question), answer, documents, wrong)


def _split(pattern: str) -> list[str]:
    """Alternatives of a value pattern; a bar inside braces does not separate."""
    return re.split(r"\|(?![^{}]*\})", pattern)


def number(value: str) -> float:
    """The first number of a value, for comparing values of one form."""
    found = re.search(r"\d[\d,]*", value)
    assert found, value
    return float(found[0].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    with args.out.open("w", encoding="utf-8") as file:
        for row in World(args.seed).rows(args.rows):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
