"""``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` and ``$$`` in values; nothing else.

A ``$`` in front of anything else stays what it is, so a shell's ``$HOME`` in a command needs no
escape. Keys are never interpolated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tpconfig.config import codes, limits
from tpconfig.config.nodes import Interpolated, ListNode, MapNode, Node, Path, ScalarNode
from tpconfig.errors import Problem
from tpconfig.source import Source
from tpconfig.suggest import did_you_mean

_DOLLAR: Final = re.compile(r"\$\$|\$\{")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FORMS: Final = "${VAR}, ${VAR:-default}, ${VAR:?message}; $${ for the text ${"
_MAX_NESTING: Final = 8

Lookup = Callable[[], Mapping[str, str]]
"""Gives the variables; called when the first ``${`` is met, so an unused ``.env`` is not read."""


class _FailedError(Exception):
    """One value cannot be interpolated."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class Interpolation:
    """Interpolates the values of documents and remembers what went wrong where."""

    lookup: Lookup
    problems: list[Problem] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    _written: int = 0

    def apply(self, node: Node, path: Path = ()) -> Node:
        """Return the tree with every value interpolated; broken ones stay as they are.

        What holds no variable is the same node as before.
        """
        match node:
            case MapNode():
                changed = {
                    key: replace(entry, node=made)
                    for key, entry in node.items.items()
                    if (made := self.apply(entry.node, (*path, key))) is not entry.node
                }
                return replace(node, items={**node.items, **changed}) if changed else node
            case ListNode():
                items = tuple(
                    self.apply(item, (*path, index)) for index, item in enumerate(node.items)
                )
                same = all(new is old for new, old in zip(items, node.items, strict=True))
                return node if same else replace(node, items=items)
            case ScalarNode():
                return self._scalar(node, path)

    def _scalar(self, node: ScalarNode, path: Path) -> ScalarNode:
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        if len(self.problems) >= limits.MAX_PROBLEMS:
            self.broken.add(path)
            return node
        scan = _Scan(node.value, node.source, self.lookup)
        try:
            text = scan.run()
            self._written += len(text)
            if self._written > limits.MAX_INTERPOLATED:
                message = "the variables of this file come to more text than is read"
                raise _FailedError(Problem(codes.TOO_LARGE, message, node.source))
        except _FailedError as failed:
            self.problems.append(failed.problem)
            self.broken.add(path)
            return node
        if not scan.found:
            return replace(node, value=text, text=text)
        value = Interpolated(text) if node.plain else text
        return replace(node, value=value, text=text)


class _Scan:
    """One value from left to right."""

    def __init__(self, text: str, source: Source, lookup: Lookup) -> None:
        self.found = False
        self._text = text
        self._source = source
        self._lookup = lookup
        self._at = 0

    def run(self) -> str:
        """Return the text with everything replaced."""
        return self._until_end(0)

    def _until_end(self, nesting: int) -> str:
        """Read up to the end of the text, or of the default that one is inside of."""
        parts: list[str] = []
        stop = re.compile(r"\$\$|\$\{|\}") if nesting else _DOLLAR
        while (hit := stop.search(self._text, self._at)) is not None:
            parts.append(self._text[self._at : hit.start()])
            if hit.group() == "}":
                self._at = hit.start()
                return "".join(parts)
            self._at = hit.end()
            parts.append("$" if hit.group() == "$$" else self._variable(hit.start(), nesting))
        parts.append(self._text[self._at :])
        self._at = len(self._text)
        return "".join(parts)

    def _variable(self, start: int, nesting: int) -> str:
        """Read from behind ``${`` to behind its ``}``."""
        self.found = True
        name = _NAME.match(self._text, self._at)
        if name is None or nesting >= _MAX_NESTING:
            raise self._bad(start, "a variable's name must follow `${`")
        self._at = name.end()
        operator = self._text[self._at : self._at + 2]
        rest = ""
        if operator in (":-", ":?"):
            self._at += 2
            rest = self._until_end(nesting + 1) if operator == ":-" else self._message()
        if self._text[self._at : self._at + 1] != "}":
            ended = self._at >= len(self._text)
            raise self._bad(start, "a `}` is missing" if ended else "this form is not known")
        self._at += 1
        value = self._lookup().get(name.group(), "")
        if value or (operator not in (":-", ":?") and name.group() in self._lookup()):
            return value
        if operator == ":-":
            return rest
        raise self._unset(start, name.group(), rest)

    def _message(self) -> str:
        end = self._text.find("}", self._at)
        end = len(self._text) if end < 0 else end
        message, self._at = self._text[self._at : end], end
        return message

    def _bad(self, start: int, message: str) -> _FailedError:
        end = self._text.find("}", start)
        place = self._place(start, len(self._text) if end < 0 else end + 1)
        return _FailedError(
            Problem(codes.BAD_INTERPOLATION, message, place, hint=f"there is {_FORMS}")
        )

    def _unset(self, start: int, name: str, message: str) -> _FailedError:
        known = self._lookup()
        state = "is empty" if name in known else "is not set"
        return _FailedError(
            Problem(
                codes.UNSET_VARIABLE,
                f"the variable `{name}` {state}" + (f": {message}" if message else ""),
                self._place(start, self._at),
                label=None if name in known else did_you_mean(name, known),
                hint=f"set it, put it in .env, or write ${{{name}:-default}}",
            )
        )

    def _place(self, start: int, end: int) -> Source:
        """Narrow the value's place to a part of it, where the line has it literally."""
        part = self._text[start:end]
        line, offset = self._source.text, self._source.column - 1
        for _ in range(self._text.count(part, 0, start)):
            offset = line.find(part, offset) + 1
            if offset == 0:
                return self._source
        found = line.find(part, offset)
        if found < 0 or "\n" in part:
            return self._source
        return replace(self._source, column=found + 1, end_column=found + 1 + len(part))
