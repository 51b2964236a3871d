"""A document whose keys are taken out one after the other: what is left at the end is named."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any


class Left:
    """What nobody has taken yet."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = copy.deepcopy(dict(data))

    def take(self, path: str, default: Any = None) -> Any:
        """Return the value at a path, and take it out."""
        *parents, key = path.split(".")
        at: Any = self._data
        for parent in parents:
            at = at.get(parent) if isinstance(at, dict) else None
        return at.pop(key, default) if isinstance(at, dict) else default

    def keys(self) -> tuple[str, ...]:
        """Return the keys at the top that nobody has taken."""
        return tuple(map(str, self._data))

    def leaves(self) -> Iterator[str]:
        """Yield the paths of what nobody took."""
        yield from _leaves(self._data, "")


def _leaves(data: Any, path: str) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif not path.endswith("$schema"):
        yield path
