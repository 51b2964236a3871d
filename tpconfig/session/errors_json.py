"""An error as JSON, so that whoever asked a session is shown what the session itself would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tpconfig.errors import ConfigError, ExitCode, Problem, TpError
from tpconfig.source import Source


class RemoteError(TpError):
    """The running session answered that it could not; ``exit_code`` is its verdict."""


class RemoteConfigError(ConfigError):
    """The same, of a file: every problem with its line."""


def to_json(error: TpError) -> dict[str, Any]:
    """Write an error as plain JSON values."""
    return {
        "error": error.message,
        "code": int(error.exit_code),
        "diagnostic": error.code,
        "hint": error.hint,
        "details": list(error.details),
        "source": asdict(error.source) if error.source else None,
        "problems": [asdict(one) for one in getattr(error, "problems", ())],
    }


def from_json(given: Mapping[str, Any]) -> TpError:
    """Read what ``to_json`` wrote, or a shorter form with ``error`` alone."""
    if problems := given.get("problems"):
        found: TpError = RemoteConfigError([_problem(one) for one in problems])
    else:
        found = RemoteError(
            str(given.get("error")),
            hint=given.get("hint"),
            source=_source(given.get("source")),
            details=tuple(given.get("details") or ()),
        )
    found.code = given.get("diagnostic")
    found.exit_code = ExitCode(int(given.get("code", ExitCode.FAILED)))
    return found


def _problem(given: Mapping[str, Any]) -> Problem:
    related = tuple((word, Source(**place)) for word, place in given["related"])
    return Problem(**{**given, "source": _source(given["source"]), "related": related})


def _source(given: Mapping[str, Any] | None) -> Source | None:
    return Source(**given) if given else None
