"""Plain data and, beside it, the place of every value: positions travel beside the data.

A later complaint (a Deployment that does not exist, a port that is taken) asks here for the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tpconfig.config.nodes import Entry, ListNode, MapNode, Node, Path, ScalarNode
from tpconfig.source import Source

TextWanted = Callable[[Path], bool]
"""Says for which paths a value is its text, whatever it looks like (``VERSION: 1.10``)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its key (``None`` in a list), itself, and its text if it is a word.

    ``over`` are the places of the same key in earlier files, whose values it replaced.
    """

    key: Source | None
    value: Source
    text: str | None
    over: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """The index from path to place."""

    places: dict[Path, Place] = field(default_factory=dict)

    def __contains__(self, path: Path) -> bool:
        return path in self.places

    def known(self, path: Path) -> Path:
        """Return the longest part of a path that the document has.

        So a path into the model finds its line: ``(…, "target", "name")`` where the file has
        ``target: deployment/x``.
        """
        found: Path = ()
        for part in path:
            if (*found, part) not in self.places:
                break
            found = (*found, part)
        return found

    def source_of(self, path: Path) -> Source | None:
        """Return the place of a value, or of what it is part of: the word itself, else its key."""
        place = self.places.get(self.known(path))
        if place is None:
            return None
        if place.key is not None and (place.text is None or place.text == ""):
            return place.key
        return place.value

    def key_of(self, path: Path) -> Source | None:
        """Return the place of a key, or of the list item."""
        place = self.places.get(self.known(path))
        return None if place is None else place.key or place.value

    def text_of(self, path: Path) -> str | None:
        """Return what was written for a value, after interpolation (``1m30s`` for 90 seconds)."""
        place = self.places.get(self.known(path))
        return None if place is None else place.text

    def over(self) -> dict[Source, tuple[Source, ...]]:
        """Return what lies below each value that replaced one, by its places and those in it."""
        found: dict[Source, tuple[Source, ...]] = {}
        inside: dict[Path, tuple[Source, ...]] = {}
        for path, place in self.places.items():
            over = place.over or inside.get(path[:-1], ())
            if over:
                inside[path] = over
                found |= {at: over for at in (place.key, place.value) if at is not None}
        return found


def flatten(node: Node, text_wanted: TextWanted) -> tuple[Any, Sources]:
    """Return a tree as plain data and the index of its places."""
    sources = Sources()
    return _flatten(node, (), None, (text_wanted, sources)), sources


def _flatten(node: Node, path: Path, entry: Entry | None, out: tuple[TextWanted, Sources]) -> Any:
    text_wanted, sources = out
    key, over = (entry.key, entry.over) if entry else (None, ())
    match node:
        case MapNode():
            sources.places[path] = Place(key, node.source, None, over)
            return {
                name: _flatten(one.node, (*path, name), one, out)
                for name, one in node.items.items()
            }
        case ListNode():
            sources.places[path] = Place(key, node.source, None, over)
            return [
                _flatten(item, (*path, index), None, out) for index, item in enumerate(node.items)
            ]
        case ScalarNode():
            sources.places[path] = Place(key, node.source, node.text, over)
            if node.value is None or isinstance(node.value, str):
                return node.value
            return node.text if text_wanted(path) else node.value
