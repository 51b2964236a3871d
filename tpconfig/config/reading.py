"""From bytes to text: what is no text is refused with its place before YAML sees it."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from tpconfig.config import codes, limits
from tpconfig.errors import Problem
from tpconfig.source import Source

_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What libyaml counts as the end of a line; ``str.splitlines`` knows more."""

_NOT_TEXT: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""YAML's printable characters, without the byte order mark in the middle of a file."""

_FOREIGN_MARKS: Final[Sequence[tuple[bytes, str]]] = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class RefusedError(Exception):
    """A file cannot be read any further; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True)
class Text:
    """A file's text under the name that messages use for it."""

    file: str
    content: str

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines without their ends."""
        return _BREAK.split(self.content)

    def at(self, line: int, column: int, end_column: int | None = None) -> Source:
        """Return a range of one line; all arguments count from 0, as libyaml does."""
        lines = self.lines
        text = lines[line] if line < len(lines) else ""
        if end_column is None:
            end_column = len(text.rstrip())
        return Source(
            self.file,
            line + 1,
            column + 1,
            (end_column if end_column > column else column + 1) + 1,
            text,
            lines[line - 1] if 0 < line <= len(lines) else None,
        )


def decode(content: bytes, file: str) -> Text:
    """Return the text of a file, or raise ``RefusedError`` with the place of what is no text."""
    if len(content) > limits.MAX_BYTES:
        mib = limits.MAX_BYTES >> 20
        raise RefusedError(
            Problem(codes.TOO_LARGE, f"{file} is larger than {mib} MiB", hint="split it, use -f")
        )
    for mark, name in _FOREIGN_MARKS:
        if content.startswith(mark):
            raise RefusedError(
                Problem(codes.BAD_TEXT, f"{file} is {name}", hint="save it as UTF-8")
            )
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = Text(file, content.decode())
    except UnicodeDecodeError as error:
        raise RefusedError(_not_utf8(content, error.start, file)) from None
    if found := _NOT_TEXT.search(text.content):
        raise RefusedError(_not_text(text, found))
    return text


def _not_utf8(content: bytes, start: int, file: str) -> Problem:
    """Say where the byte is that UTF-8 does not have."""
    text = Text(file, content.decode(errors="replace"))
    line, column = _place(content[:start].decode())
    return Problem(
        codes.BAD_TEXT,
        f"{file} is not UTF-8",
        text.at(line, column, column + 1),
        label=f"byte 0x{content[start]:02x}",
        hint="save the file as UTF-8",
    )


def _not_text(text: Text, found: re.Match[str]) -> Problem:
    character = found.group()
    line, column = _place(text.content[: found.start()])
    name = unicodedata.name(character, "a control character").lower()
    return Problem(
        codes.BAD_TEXT,
        f"{text.file} holds U+{ord(character):04X}",
        text.at(line, column, column + 1),
        label="the NUL character" if character == "\0" else name,
        hint='remove it, or write it as an escape in double quotes: "\\e", "\\0"',
    )


def _place(before: str) -> tuple[int, int]:
    lines = _BREAK.split(before)
    return len(lines) - 1, len(lines[-1])
