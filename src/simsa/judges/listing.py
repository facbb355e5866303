"""How a chat model is asked for an answer's claims: one more call, beside those for scores."""

from __future__ import annotations

from dataclasses import dataclass

from simsa.judges.asking import Asking
from simsa.judges.base import JudgeRequest
from simsa.records import CLAIMS, Question, content_hash
from simsa.rubrics.claims import SCHEMA, ClaimsPrompt, claims_prompt


@dataclass(frozen=True, slots=True)
class Listing:
    """The prompt, and what names a call with it whatever row it is about."""

    prompt: ClaimsPrompt
    identity: str

    @classmethod
    def by(cls, model: str, language: str) -> Listing:
        """`model` is the hash of who is asked. Neither rubric nor token probabilities change what an answer claims."""
        prompt = claims_prompt(language)
        return cls(prompt, content_hash(CLAIMS, model, prompt.version))

    def request(self, question: Question, prediction: str) -> JudgeRequest:
        material = self.prompt.material(question, prediction)
        return JudgeRequest(
            request_hash=content_hash(self.identity, material),
            part=CLAIMS,
            criteria=(),
            question=question,
            prediction=prediction,
            material=material,
        )

    def asking(self, request: JudgeRequest, code: str, max_tokens: int) -> Asking:
        """The request as it is asked for the first time; `code` marks where material begins and ends."""
        material = request.material
        first = self.prompt.messages(material, code)
        return Asking(request, first, SCHEMA, max_tokens, tuple(material.values()))
