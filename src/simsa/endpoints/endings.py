"""Failures that concern every request, as errors that say what to do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from simsa.endpoints.address import Address
from simsa.endpoints.refusals import Refusal
from simsa.errors import EndpointError

_RESUME = "run again then: it goes on where it stopped"


def unreachable(address: Address, detail: str, *, before: bool) -> EndpointError:
    """No connection; `before`: there was one before."""
    if before:
        return EndpointError(f"does not answer any more: {detail}", where=address.base_url, hint=_RESUME)
    hint = "check base_url" + (
        ", and that the server is running" if address.is_loopback else " and the network"
    )
    return EndpointError(f"cannot be reached: {detail}", where=address.base_url, hint=hint)


def untrusted(address: Address, detail: str) -> EndpointError:
    hint = "check base_url (http or https?); a private certificate authority is made known by SSL_CERT_FILE"
    return EndpointError(f"no secure connection: {detail}", where=address.base_url, hint=hint)


def never_answers(address: Address, detail: str, requests: int) -> EndpointError:
    """So many requests in a row were given up that the rest would be too."""
    message = f"has not answered {requests} requests in a row; the last: {detail}"
    return EndpointError(message, where=address.base_url, hint=_RESUME)


def asks_to_wait(address: Address, seconds: float, refusal: Refusal) -> EndpointError:
    """A limit that is too far from being lifted to wait for it."""
    message = f"lets nothing through for {_duration(seconds)}: {refusal.detail}"
    return EndpointError(message, where=address.base_url, hint=_RESUME)


def missing_model(
    address: Address, model: str, listed: Sequence[str], refusal: Refusal, gone: str = ""
) -> EndpointError:
    """`listed`: what the endpoint has; `gone`: what is known of the model's retirement."""
    near = difflib.get_close_matches(model, listed, n=1, cutoff=0.5)
    shown = ", ".join(sorted(listed, key=lambda name: name not in near)[:8])
    more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
    parts = [gone, f"did you mean {near[0]!r}?" if near else "", f"there: {shown}{more}" if listed else ""]
    hint = "; ".join(part for part in parts if part) or "check the model's name"
    return EndpointError(f"has no model {model!r} ({refusal.detail})", where=address.base_url, hint=hint)


def refused(
    address: Address, refusal: Refusal, *, has_key: bool, key_name: str | None, location: str = ""
) -> EndpointError:
    """The endpoint turns every request away; `location`: where it points to."""
    message, hint = _in_words(refusal, has_key, key_name or "the variable that api_key_env names", location)
    return EndpointError(message, where=address.base_url, hint=hint)


def _in_words(refusal: Refusal, has_key: bool, key_name: str, location: str) -> tuple[str, str]:
    detail = refusal.detail
    match refusal.status:
        case 401 | 407 if has_key:
            return f"does not accept the key: {detail}", f"check {key_name}"
        case 401 | 407:
            return f"wants a key: {detail}", f"set {key_name}"
        case 402 | 429:
            return f"has no credit left: {detail}", f"top up the account or raise its limit; {_RESUME}"
        case 403:
            return f"forbids this: {detail}", f"check what {key_name} may do, and from where"
        case 404 | 405 | 410:
            return (
                f"has no chat completions here: {detail}",
                "check base_url: the part before /chat/completions",
            )
        case status if status < 400:
            seen = location.split("?")[0] or "elsewhere"
            return (
                f"points to {seen} (HTTP {status})",
                "redirects are not followed; if you trust it, make it base_url",
            )
    return f"turns requests away: {detail}", "check base_url, model and key"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{max(1, minutes)} min"
    return f"{minutes // 60} h {minutes % 60} min"
