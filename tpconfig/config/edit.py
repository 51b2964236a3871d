"""``tp config set``: one value of a file changed in its text, so that every comment stays.

The parser tells where each value begins and ends; only that range is replaced, or a line added.
What comes out is read again and compared with what was meant: a text that cannot be edited so
(anchors that are used elsewhere, say) is refused, and never changed into something else.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tpconfig.config import document, scalars
from tpconfig.config.nodes import ListNode, MapNode, Node, Path, dotted
from tpconfig.config.sources import flatten
from tpconfig.errors import ConfigError, UsageError

_PART: Final = re.compile(r'\.?(?:"([^"]*)"|\[(\d+)\]|([^.\[\]"]+))')
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_STEP: Final = "  "


def path_of(text: str) -> Path:
    """Read ``workloads.web.expose[0]``; a name with a dot in it stands in double quotes.

    Raises:
        UsageError: it is no path.
    """
    found: Path = ()
    at = 0
    while at < len(text) or not found:
        part = _PART.match(text, at)
        if part is None or (not found and part.group().startswith(("[", "."))):
            raise UsageError(f"`{text}` is no path", hint="write workloads.web.expose[0]")
        quoted, index, name = part.groups()
        found = (*found, int(index) if index is not None else name or quoted or "")
        at = part.end()
    return found


def set_value(text: str, path: Path, value: str, *, file: str) -> str:
    """Return a file's text with one value set; ``value`` is YAML on one line.

    Raises:
        ConfigError: the file is no YAML.
        UsageError: the value is none, or this place cannot be edited by itself.
    """
    before = _read(text, file)
    wanted = _value(value)
    expected = _with(before, path, wanted)
    for written in dict.fromkeys((value.strip(), json.dumps(wanted, ensure_ascii=False))):
        try:
            changed = _Edit(text).put(path, written)
            if _read(changed, file) == expected:
                return changed
        except (yaml.YAMLError, ConfigError):
            continue
    raise UsageError(
        f"`{dotted(path)}` cannot be set by itself in {file}: other values hang on it",
        hint="an anchor, an alias or a tag is in the way; edit the file by hand",
    )


def _read(text: str, file: str) -> Any:
    node, problems = document.parse(text.encode(), file)
    if problems:
        raise ConfigError(problems)
    return None if node is None else _plain(node)


def _plain(node: Node) -> Any:
    return flatten(node, lambda path: False)[0]


def _value(text: str) -> Any:
    """Return what a value given on the command line means."""
    node, problems = document.parse(text.encode(errors="surrogateescape"), "VALUE")
    if problems or "\n" in text:
        said = problems[0].message if problems else "it has several lines"
        raise UsageError(f"the value is no YAML on one line: {said}", hint="put it in quotes")
    if isinstance(node, MapNode | ListNode) and text.strip()[0] not in "[{":
        raise UsageError("the value is no word", hint="write {key: value}, [a, b] or '\"text\"'")
    if node is None or (found := _plain(node)) is None:
        raise UsageError("the value is empty", hint="write '\"\"' for an empty text")
    return found


def _with(before: Any, path: Path, value: Any) -> Any:
    """Return the data with one value set.

    Raises:
        UsageError: the path leads through a single value, or beside a list.
    """
    data = {"": copy.deepcopy(before)}
    at: Any = data
    part: str | int = ""
    for number, following in enumerate(path):
        inner = at[part]
        if inner is None:
            inner = at[part] = {}
        name = dotted(path[:number]) or "the file"
        if isinstance(inner, list):
            if not isinstance(following, int) or following > len(inner):
                hint = f"it has {len(inner)} items, counted from 0"
                raise UsageError(f"`{name}` has no item `{following}`", hint=hint)
            inner += [None] * (following == len(inner))
        elif not isinstance(inner, dict) or isinstance(following, int):
            kind = "a mapping" if isinstance(inner, dict) else f"`{inner}`, a single value"
            raise UsageError(f"`{name}` is {kind}", hint=f"set `{name}` as a whole")
        else:
            inner.setdefault(following, None)
        at, part = inner, following
    at[part] = value
    return data[""]


class _Edit:
    """One change of a text, by the positions of its nodes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root = yaml.compose(text, Loader=yaml.BaseLoader)
        self._starts = [0, *(found.end() for found in _BREAK.finditer(text))]
        found = _BREAK.search(text)
        self._newline = found.group() if found else "\n"

    def put(self, path: Path, written: str) -> str:
        """Set a value that is there, or add it to the nearest mapping or list around it."""
        node, depth, key_end = self._nearest(path)
        rest = path[depth:]
        if node is None:
            return self._at_the_end(_lines(rest, written, ""))
        if not rest:
            return self._replaced(node, written, key_end)
        if not isinstance(node, yaml.CollectionNode):  # a key with nothing behind it
            return self._replaced(node, _flow(rest, written), key_end)
        if node.flow_style:
            return self._into_flow(node, _flow(rest, written).removeprefix("{").removesuffix("}"))
        return self._below(node, rest, written)

    def _nearest(self, path: Path) -> tuple[yaml.Node | None, int, int | None]:
        """Return the deepest node on a path, how deep it is, and where its key ends."""
        node, key_end = self._root, None
        for depth, part in enumerate(path):
            found = _inside(node, part)
            if found is None:
                return node, depth, key_end
            key, node = found
            key_end = self._offset(key.end_mark) if key is not None else None
        return node, len(path), key_end

    def _replaced(self, node: yaml.Node, written: str, key_end: int | None) -> str:
        start, end = self._offset(node.start_mark), self._end(node)
        if key_end is not None and self._text[key_end:start].strip() in ("", ":"):
            start = self._text.index(":", key_end) + 1  # a value on a line of its own comes up
            written = f" {written}"
        return self._text[:start] + written + self._text[max(start, end) :]

    def _into_flow(self, node: yaml.CollectionNode, written: str) -> str:
        close = self._end(node) - 1
        inside = self._text[self._offset(node.start_mark) + 1 : close]
        at = close - (len(inside) - len(inside.rstrip())) if node.value else close
        before = "" if not node.value else " " if inside.rstrip().endswith(",") else ", "
        return self._text[:at] + before + written + self._text[at:]

    def _below(self, node: yaml.CollectionNode, rest: Path, written: str) -> str:
        """Add lines behind the last one of a block."""
        first = node.value[0]
        mark = first[0].start_mark if isinstance(first, tuple) else node.start_mark
        lines = _lines(rest, written, " " * mark.column)
        end = self._end(node)
        line_end = _BREAK.search(self._text, end)
        at = len(self._text) if line_end is None else line_end.start()
        return self._text[:at] + "".join(self._newline + line for line in lines) + self._text[at:]

    def _at_the_end(self, lines: list[str]) -> str:
        text = self._text
        if text and not _BREAK.search(text[-1]):
            text += self._newline
        return text + "".join(line + self._newline for line in lines)

    def _end(self, node: yaml.Node) -> int:
        """Return where a node's own text ends: the parser counts the comments below it too."""
        while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            node = last[1] if isinstance(last, tuple) else last
            if isinstance(last, tuple) and not node.value and isinstance(node, yaml.ScalarNode):
                return self._offset(node.end_mark)
        start, end = self._offset(node.start_mark), self._offset(node.end_mark)
        return start + len(self._text[start:end].rstrip())

    def _offset(self, mark: yaml.Mark) -> int:
        return self._starts[mark.line] + mark.column


def _inside(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    """Return the key and the value of one part of a node."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, one) for key, one in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


def _lines(path: Path, written: str, indent: str) -> list[str]:
    """Return the lines of a block that leads to a value."""
    found: list[str] = []
    for number, part in enumerate(path):
        head = "-" if isinstance(part, int) else f"{_key(part)}:"
        found.append(indent + _STEP * number + head)
    found[-1] += f" {written}"
    return found


def _flow(path: Path, written: str) -> str:
    """Return a mapping on one line that leads to a value."""
    parts: Iterator[str | int] = reversed(path)
    for part in parts:
        written = written if isinstance(part, int) else f"{{{_key(part)}: {written}}}"
    return written


def _key(name: str | int) -> str:
    text = str(name)
    plain = _PLAIN_KEY.fullmatch(text) and isinstance(scalars.resolve(text), str)
    return text if plain else json.dumps(text, ensure_ascii=False)
