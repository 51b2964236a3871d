"""Errors as a person reads them: what, where, the line itself, and what to write instead.

Pure: text in, text out. Files, logs and clusters are quoted here, so control characters and marks
that turn the direction of text are made visible before a terminal sees them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tpconfig.errors import ConfigError, Problem, TpError
from tpconfig.source import Source

Word = Literal["error", "warning", "note"]
"""What a problem is; the first word of its first line."""

_WIDTH: Final = 110
"""Columns of a quoted line; longer ones are cut around what is pointed at."""

_LOOK: Final = 4 * _WIDTH
"""Characters of a line that are looked at."""

_TAB: Final = "    "
_INVISIBLE: Final = frozenset("\u200b\u200e\u200f\u2028\u2029\ufeff")


@dataclass(frozen=True, slots=True)
class _Style:
    """What is put around the parts of a message."""

    strong: str = ""
    error: str = ""
    warning: str = ""
    note: str = ""
    frame: str = ""
    mark: str = ""
    related: str = ""
    hint: str = ""
    end: str = ""

    def put(self, text: str, *codes: str) -> str:
        """Return the text in a style."""
        opening = "".join(codes)
        return f"{opening}{text}{self.end}" if opening and text else text


_PLAIN: Final = _Style()
_COLOR: Final = _Style(
    strong="\x1b[1m",
    error="\x1b[1;31m",
    warning="\x1b[1;33m",
    note="\x1b[1;36m",
    frame="\x1b[34m",
    mark="\x1b[1;31m",
    related="\x1b[1;34m",
    hint="\x1b[1;36m",
    end="\x1b[0m",
)


def render(error: TpError, *, color: bool) -> str:
    """Return an error as text of several lines, without a newline at the end."""
    style = _COLOR if color else _PLAIN
    if not isinstance(error, ConfigError) or not error.problems:
        return "\n".join(_plain_error(error, style))
    lines = [line for problem in error.problems for line in _problem(problem, "error", style)]
    if len(error.problems) > 1:
        lines.append(style.put(f"{len(error.problems)} problems", style.strong))
    return "\n".join(lines)


def render_problem(problem: Problem, *, color: bool, word: Word = "note") -> str:
    """Return one problem that is no error: a note, or a warning."""
    return "\n".join(_problem(problem, word, _COLOR if color else _PLAIN))


def render_problems(problems: Sequence[Problem], *, color: bool, word: Word = "note") -> str:
    """Return several of them."""
    return "\n".join(render_problem(problem, color=color, word=word) for problem in problems)


def _plain_error(error: TpError, style: _Style) -> Iterator[str]:
    """An error that is not about a file: its details, who asked for it, what to do."""
    message, *rest = _lines(error.message)
    yield _summary(message, "error", style)
    details = [*rest, *(line for detail in error.details for line in _lines(detail))]
    frame = style.put("│", style.frame)
    source = error.source
    if source is not None and not details and source.text:
        yield from _snippet(source, "", "^", style, opening="╷")
    elif source is not None:
        wanted = f"(wanted by {_visible(str(source))})"
        details = [*details[:-1], f"{details[-1]}        {wanted}"] if details else [wanted]
    for line in details:
        yield f"  {frame} {line}"
    yield from _closing(error.hint, style, framed=bool(details or source))


def _problem(problem: Problem, word: Word, style: _Style) -> Iterator[str]:
    message, *rest = _lines(problem.message)
    yield _summary(message, word, style)
    frame = style.put("│", style.frame)
    label = " ".join(_lines(problem.label or ""))
    for line in rest:
        yield f"  {frame} {line}"
    if problem.source is not None:
        yield from _snippet(problem.source, label, "^", style, opening="╷")
    elif label:
        yield f"  {frame} {label}"
    for said, source in problem.related:
        yield from _snippet(source, " ".join(_lines(said)), "-", style, opening="├")
    framed = bool(problem.source or problem.related or rest or label)
    yield from _closing(problem.hint, style, framed=framed)


def _summary(message: str, word: Word, style: _Style) -> str:
    code = {"error": style.error, "warning": style.warning, "note": style.note}[word]
    return f"{style.put(f'{word}:', code)} {style.put(message, style.strong)}"


def _closing(hint: str | None, style: _Style, *, framed: bool) -> Iterator[str]:
    """End the frame, with the hint where there is one."""
    end = style.put("╵", style.frame)
    if hint:
        first, *rest = _lines(hint)
        yield f"  {end} {style.put('hint:', style.hint)} {first}"
        for line in rest:
            yield f"          {line}"
    elif framed:
        yield f"  {end}"


def _snippet(
    source: Source, label: str, mark: str, style: _Style, *, opening: str
) -> Iterator[str]:
    """Quote a line with the one before it, and point at the range."""
    bar = style.put("│", style.frame)
    yield f"  {style.put(opening, style.frame)} {_visible(str(source))}"
    if not source.text:
        if label:
            yield f"  {bar} {label}"
        return
    width = max(3, len(str(source.line)))
    window = _Window.around(source)
    if source.before is not None:
        number = style.put(f"{source.line - 1:>{width}}", style.frame)
        yield f"  {bar} {number} {bar} {window.cut(source.before)}".rstrip()
    number = style.put(f"{source.line:>{width}}", style.frame)
    yield f"  {bar} {number} {bar} {window.cut(source.text)}"
    code = style.mark if mark == "^" else style.related
    said = style.put(f"{mark * window.length} {label}".rstrip(), code)
    yield f"  {bar} {'':>{width}} {bar} {' ' * window.offset}{said}"


@dataclass(frozen=True, slots=True)
class _Window:
    """Which part of a line is shown; ``offset`` and ``length`` are the range's columns in it.

    ``first`` is the first character that is looked at (lines may be a megabyte long), ``start`` the
    first column behind it that is shown.
    """

    first: int
    start: int
    offset: int
    length: int

    @staticmethod
    def around(source: Source) -> _Window:
        """Choose the columns around a range."""
        first = max(0, source.column - 1 - _WIDTH)
        text = source.text[first : first + _LOOK]
        begin, end = source.column - 1 - first, source.end_column - 1 - first
        before = _columns(_visible(text[:begin]))
        inside = _columns(_visible(text[begin:end]))
        whole = before + _columns(_visible(text[begin:]))
        start = 0
        if whole > _WIDTH and before + min(inside, _WIDTH // 2) > _WIDTH - 1:
            start = before - _WIDTH // 3
        offset = before - start
        return _Window(first, start, offset, max(1, min(inside, _WIDTH - 1 - offset)))

    def cut(self, text: str) -> str:
        """Return the columns of a line that are in the window; ``…`` stands for what is not."""
        shown: list[str] = []
        column = 0
        for character in _visible(text[self.first : self.first + _LOOK]):
            if self.start <= column < self.start + _WIDTH:
                shown.append(character)
            column += _columns(character)
        if (self.first or self.start) and shown:
            shown[0] = "…" + " " * (_columns(shown[0]) - 1)
        if column > self.start + _WIDTH:
            shown[-1] = "…"
        return "".join(shown).rstrip()


def _lines(text: str) -> list[str]:
    """Split what somebody else wrote into lines that a terminal can be given."""
    return [_visible(line) for line in text.split("\n")]


def _visible(text: str) -> str:
    """Show control characters and direction marks as signs, tabs as spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_sign(character) for character in text)


def _sign(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return _TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) in ("Cc", "Cs") or character in _INVISIBLE:
        return "\ufffd"
    return "\ufffd" if unicodedata.bidirectional(character) in _TURNING else character


_TURNING: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def _columns(text: str) -> int:
    """Count the columns that a terminal gives a text."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
