"""Where a value was written: a range of characters in a file, with the text around it.

Positions travel beside the data, never in it, so every later complaint (a missing Deployment, a
port that is taken) can still point at the line that asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A range within one line of a file.

    ``line`` and ``column`` count from 1, in characters; ``end_column`` is one past the last one.
    ``before`` and ``text`` are the line in front of it and the line itself, for the snippet.
    """

    file: str
    line: int
    column: int
    end_column: int
    text: str = ""
    before: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
