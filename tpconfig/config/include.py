"""``include``: files that a file is laid over, read in their order, and theirs before them.

Paths are relative to the file that names them. The key is carried out here and is not part of the
tree that comes out; only a form that is wrong stays in it, for the models to complain about.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Final

from tpconfig.config import codes, limits, merge
from tpconfig.config.interpolate import Interpolation, Lookup
from tpconfig.config.nodes import ListNode, MapNode, Node, ScalarNode
from tpconfig.errors import Problem
from tpconfig.source import Source

KEY: Final = "include"

Read = Callable[[Path, Source | None], Node | None]
"""Reads one file; given the place that names it. ``None``: it cannot be read, and that was said."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file that is being read, and where it was included; the first one nowhere."""

    path: Path
    place: Source | None = None


@dataclass(slots=True)
class Including:
    """Reads files with everything that they include.

    Attributes:
        paths: every file that was included, there or not.
        places: where each was included first, by the name that messages have for it.
    """

    read: Read
    lookup: Lookup
    shown: Callable[[Path], str]
    home: str | None
    problems: list[Problem] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    places: dict[str, Source] = field(default_factory=dict)
    _known: dict[str, Node | None] = field(default_factory=dict)
    _count: int = 0
    _values: int = 0

    def tree(self, path: Path, node: Node | None, folder: Path) -> Node | None:
        """Return a file's tree laid over what it includes; ``None`` where something is missing."""
        return self._laid(node, folder, (_Opened(path),))

    def _laid(self, node: Node | None, folder: Path, chain: tuple[_Opened, ...]) -> Node | None:
        wanted = self._wanted(node)
        if wanted is None or not isinstance(node, MapNode):
            return node
        layers = [self._included(one, folder, chain) for one in wanted]
        items = {key: entry for key, entry in node.items.items() if key != KEY}
        if any(layer is None for layer in layers):
            return None
        own: Node = replace(node, items=items)
        return reduce(merge.overlay, [*(one for one in layers if one is not None), own])

    def _wanted(self, node: Node | None) -> list[ScalarNode] | None:
        """Return the names that a file includes, ``None`` where no list of them is there."""
        entry = node.items.get(KEY) if isinstance(node, MapNode) else None
        if entry is None:
            return None
        if entry.overlaying != "merge":
            message = "`include` is carried out as it is read; a later file cannot take it back"
            self.problems.append(
                Problem(codes.FOREIGN_YAML, message, entry.key, label="remove the tag")
            )
        interpolation = Interpolation(self.lookup)
        found = interpolation.apply(entry.node, (KEY,))
        self.problems += interpolation.problems
        if interpolation.problems:
            return []
        return list(_names(found)) if _is_list_of_names(found) else None

    def _included(self, name: ScalarNode, folder: Path, chain: tuple[_Opened, ...]) -> Node | None:
        """Read one file that a file includes."""
        if self._too_large(name.source):
            return None
        path = self._path(str(name.value), folder)
        real = os.path.realpath(path)
        opened = (*chain, _Opened(path, name.source))
        if real in {os.path.realpath(one.path) for one in chain}:
            self._circle(opened)
            return None
        if path not in self.paths:
            self.paths.append(path)
        self.places.setdefault(self.shown(path), name.source)
        if real not in self._known:
            self._known[real] = self.read(path, name.source)
        node = self._known[real]
        self._count += 1
        self._values += 0 if node is None else node.size
        return self._laid(node, path.parent, opened)

    def _path(self, written: str, folder: Path) -> Path:
        if self.home and written.startswith("~/"):
            written = self.home + written[1:]
        return Path(os.path.abspath(folder / written))

    def _circle(self, opened: tuple[_Opened, ...]) -> None:
        last = os.path.realpath(opened[-1].path)
        start = next(i for i, one in enumerate(opened) if os.path.realpath(one.path) == last)
        circle = opened[start:]
        names = " -> ".join(self.shown(one.path) for one in circle)
        related = tuple(
            (f"includes {self.shown(one.path)}", one.place) for one in circle[1:-1] if one.place
        )
        self.problems.append(
            Problem(
                codes.INCLUDE_CYCLE,
                f"files include each other in a circle: {names}",
                opened[-1].place,
                label="remove this one",
                related=related,
            )
        )

    def _too_large(self, place: Source) -> bool:
        """Say whether no further file is read, and once why."""
        if self._count >= limits.MAX_INCLUDED:
            message = f"more than {limits.MAX_INCLUDED} files are included here"
        elif self._values > limits.MAX_VALUES:
            message = f"the included files come to more than {limits.MAX_VALUES:,} values here"
        else:
            return False
        if not any(problem.code == codes.TOO_LARGE for problem in self.problems):
            self.problems.append(Problem(codes.TOO_LARGE, message, place))
        return True


def _is_list_of_names(node: Node) -> bool:
    return isinstance(node, ListNode) and all(
        isinstance(one, ScalarNode) and isinstance(one.value, str) and one.value != ""
        for one in node.items
    )


def _names(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ListNode):
        yield from (one for one in node.items if isinstance(one, ScalarNode))
