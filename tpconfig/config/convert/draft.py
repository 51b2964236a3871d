"""A file that is being written: its values, and what could not be carried over and why."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tpconfig.config import codes, load
from tpconfig.errors import ConfigError

_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_OF_THE_PLACE: Final = frozenset({codes.UNSET_VARIABLE, codes.NO_FOLDER})


@dataclass(slots=True)
class Draft:
    """What another tool's configuration says in our words.

    ``notes`` are what a person must know: an option that has no place here, and what to do instead.
    """

    origin: str
    data: dict[str, Any] = field(default_factory=lambda: {"version": 1})
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the file, with the notes as comments at its top."""
        lines = [f"# From: {' '.join(self.origin.split())}"]
        if self.notes:
            lines += ["#", "# Not carried over as it was:"]
            lines += [f"# * {' '.join(note.split())}" for note in self.notes]
        return "\n".join([*lines, *_mapping(self.data, 0)]) + "\n"


class Variable(str):
    """A text whose ``${VAR}`` are to be filled in here too; every other dollar sign is one."""


def workload_name(text: str) -> str:
    """Return the nearest name that a workload of a file may have."""
    return _NAME.sub("-", text)[:63].strip("-._") or "workload"


def check(text: str) -> None:
    """Load a written file as ``tp`` will, in a place without its folders and variables.

    Raises:
        ConfigError: it holds something that no file may, a name that Kubernetes does not take.
    """
    with tempfile.TemporaryDirectory(prefix="tp-convert-") as folder:
        Path(folder, "telepresence.yaml").write_text(text, errors="surrogateescape")
        try:
            load.load(cwd=Path(folder), environ={})
        except ConfigError as error:
            if problems := [one for one in error.problems if one.code not in _OF_THE_PLACE]:
                raise ConfigError(problems) from None


def _mapping(data: dict[str, Any], depth: int) -> list[str]:
    lines: list[str] = []
    indent = "  " * depth
    for key, value in data.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *_mapping(value, depth + 1)]
        else:
            lines.append(f"{indent}{key}: {_flow(value)}")
    return lines


def _flow(value: Any) -> str:
    """Return a value on one line; a dollar sign is doubled, since ours would interpolate it."""
    return json.dumps(_escaped(value), ensure_ascii=False)


def _escaped(value: Any) -> Any:
    match value:
        case Variable():
            return str(value)
        case str():
            return value.replace("$", "$$")
        case dict():
            return {_escaped(key): _escaped(one) for key, one in value.items()}
        case list() | tuple():
            return [_escaped(one) for one in value]
        case _:
            return value
