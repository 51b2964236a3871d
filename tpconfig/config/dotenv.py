"""The ``.env`` beside the file: ``KEY=value`` lines for ``${KEY}``, and nothing that runs.

Quotes as docker compose has them: single ones keep everything, double ones know backslashes,
without quotes `` #`` starts a comment. Values are not interpolated themselves.
"""

from __future__ import annotations

import re
from typing import Final

from tpconfig.config import codes
from tpconfig.config.reading import RefusedError, Text, decode
from tpconfig.errors import Problem

FILE_NAME: Final = ".env"

_KEY: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=[ \t]*")
_SINGLE: Final = re.compile(r"'([^']*)'[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_DOUBLE: Final = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#[^\n]*)?(?=\n|\Z)', re.DOTALL)
_BARE: Final = re.compile(r"([^\n]*)")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\n": ""}


def parse(content: bytes, file: str) -> tuple[dict[str, str], list[Problem]]:
    """Return the variables of a ``.env`` and a note for every line that is left out."""
    try:
        text = decode(content, file)
    except RefusedError as refused:
        return {}, [refused.problem]
    lines = Text(file, text.content.replace("\r\n", "\n"))
    values: dict[str, str] = {}
    notes: list[Problem] = []
    position, line = 0, 0
    while position < len(lines.content):
        end = _entry(lines.content, position, values)
        if end is None:
            end = _end_of_line(lines.content, position)
            if _means_something(lines.content[position:end]):
                notes.append(_left_out(lines, line))
        line += lines.content.count("\n", position, end + 1)
        position = end + 1
    return values, notes


def _entry(content: str, start: int, values: dict[str, str]) -> int | None:
    """Read one ``KEY=value`` from ``start``; return where it ends, or ``None`` for no entry."""
    key = _KEY.match(content, start, _end_of_line(content, start))
    if key is None:
        return None
    match content[key.end() : key.end() + 1]:
        case "'":
            value = _SINGLE.match(content, key.end())
            text = value.group(1) if value else ""
        case '"':
            value = _DOUBLE.match(content, key.end())
            text = _ESCAPE.sub(_unescape, value.group(1)) if value else ""
        case _:
            value = _BARE.match(content, key.end())
            text = re.split(r"(?:^|\s)#", value.group(1), maxsplit=1)[0].strip() if value else ""
    if value is None:
        return None
    values[key.group(1)] = text
    return value.end()


def _unescape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found.group(1), found.group(1))


def _end_of_line(content: str, start: int) -> int:
    end = content.find("\n", start)
    return len(content) if end < 0 else end


def _means_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _left_out(text: Text, line: int) -> Problem:
    return Problem(
        codes.BAD_DOTENV_LINE,
        f"a line of {text.file} is left out",
        text.at(line, 0),
        label="write KEY=value",
    )
