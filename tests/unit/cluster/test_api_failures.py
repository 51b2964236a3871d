"""Refusals become errors by status and reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tpconfig.cluster import failures
from tpconfig.cluster.paths import path_of
from tpconfig.errors import ExitCode, NoPermissionError, TpError

POD = path_of("pod", "dev", "p")


def status(code: int, reason: str, message: str = "words", **details: Any) -> bytes:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return json.dumps(body | ({"details": details} if details else {})).encode()


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", failures.InvalidError),
        (401, "Unauthorized", failures.UnauthorizedError),
        (403, "Forbidden", failures.ForbiddenError),
        (404, "NotFound", failures.NotFoundError),
        (405, "MethodNotAllowed", failures.ApiError),
        (409, "AlreadyExists", failures.AlreadyExistsError),
        (409, "Conflict", failures.StaleError),
        (410, "Expired", failures.GoneError),
        (410, "Gone", failures.GoneError),
        (422, "Invalid", failures.InvalidError),
        (429, "TooManyRequests", failures.ThrottledError),
        (500, "InternalError", failures.ServerError),
        (503, "ServiceUnavailable", failures.ServerError),
        (504, "Timeout", failures.ServerError),
    ],
)
def test_status_and_reason_choose_the_type(
    code: int, reason: str, expected: type[failures.ApiError]
) -> None:
    """The type of an error follows from status and reason alone."""
    error = failures.of_answer(code, status(code, reason), method="PATCH", path=POD)
    assert type(error) is expected
    assert (error.status, error.reason) == (code, reason)
    assert (error.refusal.method, error.refusal.path) == ("PATCH", POD)


def test_text_does_not_choose_the_type() -> None:
    """Words of another error in the message change nothing."""
    body = status(500, "InternalError", "already exists, not found, forbidden")
    assert type(failures.of_answer(500, body, method="GET", path=POD)) is failures.ServerError


@pytest.mark.parametrize(
    ("method", "path", "watching", "subject"),
    [
        ("GET", POD, False, "get pods in namespace dev"),
        ("GET", path_of("pod", "dev"), False, "list pods in namespace dev"),
        ("GET", path_of("pod", "dev"), True, "watch pods in namespace dev"),
        ("GET", path_of("pod", "dev", "p", "portforward"), False, "get pods/portforward in"),
        ("POST", path_of("lease", "dev"), False, "create leases.coordination.k8s.io in"),
        ("PATCH", path_of("deployment", "dev", "w"), False, "patch deployments.apps in"),
        ("PUT", path_of("deployment", "dev", "w"), False, "update deployments.apps in"),
        ("DELETE", POD, False, "delete pods in namespace dev"),
        ("GET", path_of("namespace"), False, "list namespaces"),
        ("GET", "/metrics", False, "get /metrics"),
    ],
)
def test_forbidden_names_verb_and_resource(
    method: str, path: str, watching: bool, subject: str
) -> None:
    """403 says which verb on which resource, in RBAC's words."""
    error = failures.of_answer(
        403, status(403, "Forbidden"), method=method, path=path, watching=watching
    )
    assert error.message.startswith(f"no permission to {subject}")
    assert error.details == ("words",)
    assert isinstance(error, NoPermissionError)
    assert error.exit_code == ExitCode.PERMISSION


def test_invalid_lists_its_causes() -> None:
    """422 shows every field that is wrong."""
    causes = [
        {"field": "spec.replicas", "reason": "FieldValueInvalid", "message": "must be >= 0"},
        {"reason": "Other", "message": "and this"},
    ]
    body = status(422, "Invalid", causes=causes)
    error = failures.of_answer(422, body, method="POST", path=POD)
    assert error.details == ("spec.replicas: must be >= 0", "and this")
    assert error.causes[0] == failures.Cause("spec.replicas", "FieldValueInvalid", "must be >= 0")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP status 502"),
        (b"Bad Gateway\nmore", "Bad Gateway"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[]", "[]"),
        (b'{"kind": "Other"}', '{"kind": "Other"}'),
        (b"x" * 1000, "x" * 300),
    ],
)
def test_answers_without_a_status_object(body: bytes, message: str) -> None:
    """What is no Status object is reported by its first line."""
    error = failures.of_answer(502, body, method="GET", path=POD)
    assert error.message == message


def test_error_event_of_a_watch() -> None:
    """A Status inside a watch is the same error as the answer would have been."""
    event = json.loads(status(410, "Expired", "too old resource version"))
    assert type(failures.of_status(event, path=POD)) is failures.GoneError


def test_every_error_can_be_shown() -> None:
    """Each is a TpError, which the command line knows how to show."""
    assert issubclass(failures.ApiError, TpError)
    assert issubclass(failures.AnswerLostError, TpError)
