"""A document as a tree whose every node knows where it was written.

Interpolation and overlays work on this tree; only afterwards it becomes plain data with an index of
positions beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tpconfig.source import Source

Path = tuple[str | int, ...]
"""The way to a value: keys and list indexes, from the top of the document."""

Value = str | int | float | bool | None


class Interpolated(str):
    """Text that came out of ``${…}`` in an unquoted value: fields may read it as a number."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One value; ``text`` is what was written (``1.10``), ``plain`` says that it had no quotes."""

    value: Value
    text: str
    plain: bool
    source: Source
    size: int = 1


Overlaying = Literal["merge", "override", "reset"]
"""What a value does to the same key of an earlier file; ``!override`` and ``!reset`` say so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place and its value; ``over`` are the values of earlier files, the latest first."""

    key: Source
    node: Node
    overlaying: Overlaying = "merge"
    over: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; ``size`` counts all values in it, aliases expanded."""

    items: dict[str, Entry]
    source: Source
    size: int


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence; ``size`` counts all values in it, aliases expanded."""

    items: tuple[Node, ...]
    source: Source
    size: int


Node = ScalarNode | MapNode | ListNode


def dotted(path: Path) -> str:
    """Write a path as people do: ``workloads.api.expose[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
