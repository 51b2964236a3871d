"""An error that travels over the control socket."""

from __future__ import annotations

import json

import pytest

from tpconfig.errors import (
    ConfigError,
    ConflictError,
    NoPermissionError,
    Problem,
    TpError,
    UsageError,
)
from tpconfig.session import errors_json
from tpconfig.source import Source

PLACE = Source("telepresence.yaml", 7, 13, 27, "    target: deployment/wep", "  web:")
PROBLEM = Problem("TP301", "no wep", PLACE, "here", "did you mean `web`?", (("first", PLACE),))

ERRORS = [
    TpError("it failed"),
    UsageError("no such thing", hint="another", source=PLACE, details=("one", "two")),
    ConflictError("held"),
    NoPermissionError("no", details=("patch",)),
    ConfigError([PROBLEM, Problem("TP104", "unknown")]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_arrives_as_it_left(error: TpError) -> None:
    """Message, hint, line, details, problems and exit code."""
    found = errors_json.from_json(json.loads(json.dumps(errors_json.to_json(error))))
    assert (found.message, found.hint, found.source, found.details, found.exit_code) == (
        error.message,
        error.hint,
        error.source,
        error.details,
        error.exit_code,
    )
    assert getattr(found, "problems", ()) == getattr(error, "problems", ())


def test_a_short_answer_is_an_error_too() -> None:
    """What a session says of a request that it cannot read."""
    found = errors_json.from_json({"error": "not a request", "code": 2})
    assert (found.message, found.exit_code) == ("not a request", 2)
