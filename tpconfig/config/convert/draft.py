"""A file that is being written: its values, and what could not be carried over and why."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpconfig.config import load


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


def check(text: str) -> None:
    """Load a written file as ``tp`` will.

    Raises:
        ConfigError: it holds something that no file may, a name that Kubernetes does not take.
    """
    with tempfile.TemporaryDirectory(prefix="tp-convert-") as folder:
        Path(folder, "telepresence.yaml").write_text(text, errors="surrogateescape")
        load.load(cwd=Path(folder), environ={})


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
    return json.dumps(value, ensure_ascii=False).replace("$", "$$")
