"""Errors and notes for programs: one JSON object a line, as compilers print them for editors."""

from __future__ import annotations

import json
from typing import Any

from tpconfig.cli.diagnostics import Word
from tpconfig.config import codes
from tpconfig.errors import ConfigError, Problem, TpError
from tpconfig.source import Source


def render(error: TpError) -> str:
    """Return an error as lines of JSON: one for each problem of a file, else one."""
    if isinstance(error, ConfigError) and error.problems:
        return "\n".join(render_problem(problem, word="error") for problem in error.problems)
    found = _diagnostic("error", error.code, error.message, error.source)
    found |= {"hint": error.hint, "details": list(error.details), **_page(error.code)}
    return json.dumps(found, ensure_ascii=False)


def render_problem(problem: Problem, *, word: Word) -> str:
    """Return one problem of a file as a line of JSON."""
    found = _diagnostic(word, problem.code, problem.message, problem.source)
    found |= {
        "label": problem.label,
        "hint": problem.hint,
        "related": [{"message": said, "source": _place(at)} for said, at in problem.related],
    }
    return json.dumps(found | _page(problem.code), ensure_ascii=False)


def _page(code: str | None) -> dict[str, str]:
    return {"explain": f"tp explain {code}"} if code in codes.ALL else {}


def _diagnostic(
    word: Word, code: str | None, message: str, source: Source | None
) -> dict[str, Any]:
    return {"severity": word, "code": code, "message": message, "source": _place(source)}


def _place(source: Source | None) -> dict[str, Any] | None:
    """Write a range; lines and columns count from 1, ``end_column`` is one past the last."""
    if source is None:
        return None
    return {
        "file": source.file,
        "line": source.line,
        "column": source.column,
        "end_column": source.end_column,
        "text": source.text,
    }
