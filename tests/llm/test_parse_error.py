"""The class of each error response."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsa.llm.api_errors import ErrorClass, ErrorResponse, parse_error


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (400, {"error": {"message": "no", "code": "context_length_exceeded"}}, ErrorClass.TOO_LONG),
        (
            400,
            {"error": {"message": "This model's maximum context length is 2048 tokens."}},
            ErrorClass.TOO_LONG,
        ),
        (400, {"error": {"message": "the model's context length is only 1024 tokens"}}, ErrorClass.TOO_LONG),
        (500, {"error": {"message": "x", "type": "exceed_context_size_error"}}, ErrorClass.TOO_LONG),
        (
            422,
            {"error": "inputs tokens + max_new_tokens must be <= 2048; reduce the length"},
            ErrorClass.TOO_LONG,
        ),
        (413, {}, ErrorClass.TOO_LONG),
        (400, {"error": {"message": "no", "code": "content_filter"}}, ErrorClass.FILTERED),
        (
            400,
            {"error": {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            ErrorClass.FILTERED,
        ),
        (
            400,
            {"error": {"message": "Invalid prompt: your prompt was flagged", "code": "invalid_prompt"}},
            ErrorClass.FILTERED,
        ),
        (403, {"error": {"message": "Your input was flagged by moderation"}}, ErrorClass.FILTERED),
        (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, ErrorClass.RATE_LIMITED),
        (429, {"error": {"message": "x", "code": "insufficient_quota"}}, ErrorClass.FATAL),
        (429, {"error": {"message": "x", "type": "insufficient_quota"}}, ErrorClass.FATAL),
        (429, {"error": {"message": "Your credit balance is too low"}}, ErrorClass.FATAL),
        (400, {"error": {"message": "something"}}, ErrorClass.UNSUPPORTED_FIELD),
        (422, {"detail": "something"}, ErrorClass.UNSUPPORTED_FIELD),
        (401, {}, ErrorClass.FATAL),
        (402, {}, ErrorClass.FATAL),
        (
            400,
            {"error": {"message": "The model `x` has been deprecated", "param": "model"}},
            ErrorClass.FATAL,
        ),
        (403, {}, ErrorClass.FATAL),
        (404, {}, ErrorClass.FATAL),
        (405, {}, ErrorClass.FATAL),
        (301, {}, ErrorClass.FATAL),
        (408, {}, ErrorClass.RETRY),
        (409, {}, ErrorClass.RETRY),
        (425, {}, ErrorClass.RETRY),
        (500, {}, ErrorClass.RETRY),
        (503, {}, ErrorClass.RETRY),
        (529, {}, ErrorClass.RETRY),
        (418, {}, ErrorClass.REJECTED),
        (451, {}, ErrorClass.REJECTED),
    ],
)
def test_error_classes(status: int, body: object, meaning: ErrorClass) -> None:
    assert parse_error(status, orjson.dumps(body)).error_class is meaning


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (b'{"error": {"message": "no", "param": "seed"}}', "no", "seed"),
        (b'{"error": "no"}', "no", None),
        (b'{"message": "no"}', "no", None),
        (b'{"detail": "no"}', "no", None),
        (
            b'{"detail": [{"loc": ["body", "seed"], "msg": "not allowed"}, "and more"]}',
            "'seed' not allowed; and more",
            None,
        ),
        (b'{"detail": [{"loc": null, "msg": "no"}, {"loc": 3, "msg": 4}]}', "'' no; '3' 4", None),
        (b'[{"error": {"message": "no"}}]', "no", None),
        (b"[]", "", None),
        (b'"no"', "no", None),
        (b"null", "None", None),
        (b"", "", None),
        (b"<html><title>Bad gateway</title><p>nginx</p></html>", "Bad gateway nginx", None),
        (b"\xff\xfe\x00", "\ufffd\ufffd\ufffd", None),
        (b'{"error": {"message": "line\\nbreak\\u001b[31m", "param": ["x"]}}', "line break\ufffd[31m", None),
    ],
)
def test_envelopes(body: bytes, message: str, param: str | None) -> None:
    refusal = parse_error(400, body)
    assert (refusal.message, refusal.param) == (message, param)


@pytest.mark.parametrize(
    ("refusal", "missing"),
    [
        (ErrorResponse(404, "The model `x` does not exist", "model_not_found"), True),
        (ErrorResponse(404, "The model `x` does not exist.", "NotFoundError 404", "model"), True),
        (ErrorResponse(404, 'model "x" not found, try pulling it first'), True),
        (ErrorResponse(404, "Not Found"), False),
        (ErrorResponse(400, "The model `x` does not exist"), False),
        (ErrorResponse(400, "no", "model_decommissioned"), True),
        (
            ErrorResponse(400, "The model `a/b-7b:free` has been decommissioned and is no longer supported."),
            True,
        ),
        (ErrorResponse(410, "Gone", "ModelDeprecated"), True),
        (ErrorResponse(410, "This model was retired."), True),
        (ErrorResponse(410, "Gone"), False),
        (ErrorResponse(403, "Project has no access to it", "model_not_found"), True),
        (
            ErrorResponse(400, "temperature is deprecated for this model and is ignored", "", "temperature"),
            False,
        ),
        (ErrorResponse(400, "'max_tokens' is not supported with this model. It is deprecated."), False),
        (ErrorResponse(400, "The model is deprecated in this form", "", "max_tokens"), False),
        (ErrorResponse(500, "The model `x` has been retired"), False),
    ],
)
def test_a_missing_model_is_distinguished_from_a_missing_path(refusal: ErrorResponse, missing: bool) -> None:
    assert refusal.is_missing_model is missing


json = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "param", "loc", "msg", "innererror"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.integers(300, 599), st.one_of(st.binary(max_size=200), json.map(orjson.dumps)))
def test_any_body_is_parsed(status: int, body: bytes) -> None:
    refusal = parse_error(status, body)
    assert isinstance(refusal.error_class, ErrorClass)
    assert refusal.detail.startswith(f"HTTP {status}")
    assert len(refusal.detail) < 450
    assert "\n" not in refusal.detail
