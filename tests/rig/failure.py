"""One error for all that can go wrong with the rig, printed without a traceback."""

from __future__ import annotations

from pathlib import Path


class RigError(Exception):
    """Says which step failed, and shows the end of the log that knows why."""

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        """Appends the last lines of ``log`` to ``message``."""
        self.log = log
        super().__init__(message + _tail(log))


def _tail(log: Path | None, lines: int = 25) -> str:
    if log is None or not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 16_384))
        text = stream.read().decode("utf-8", "replace")
    ends = [line[:400] for line in text.splitlines()[-lines:]]
    return "\n  the end of " + str(log) + ":\n" + "\n".join("  | " + line for line in ends)
