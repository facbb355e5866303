"""What an endpoint's answer says: a verdict, a list of claims, or why neither."""

from __future__ import annotations

from simsa.endpoints import ChatReply
from simsa.judges.asking import Asking
from simsa.records import CLAIMS
from simsa.rubrics import Scored, Unreadable, read_verdict
from simsa.rubrics.claims import Listed, passages, read_claims


def read_reply(reply: ChatReply, asking: Asking) -> Scored | Listed | Unreadable:
    """What was asked for, or why it is not there. Never raises."""
    if reply.refusal or reply.finish_reason == "content_filter":
        return Unreadable("refused", reply.refusal or "a content filter stopped the answer")
    found = _read(reply.text, asking)
    if reply.finish_reason != "length":
        return found
    # Cut off at the limit: only an answer that is one object and nothing else is known to be whole.
    alone = reply.text.strip()
    if not isinstance(found, Unreadable) and alone.startswith("{") and alone.endswith("}"):
        return found
    return Unreadable("truncated", "the answer was cut off at the length limit; be brief")


def _read(text: str, asking: Asking) -> Scored | Listed | Unreadable:
    request = asking.request
    if request.part == CLAIMS:
        return read_claims(text, passages(request.question), asking.quoted)
    return read_verdict(text, request.criteria, asking.quoted)
