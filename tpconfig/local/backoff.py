"""When a process that ended is started again (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
"""Between two starts; it doubles from the first to the longest."""

CALM_S: Final = 10.0
"""Who ran for this long begins with the first delay again."""


@dataclass(slots=True)
class Backoff:
    """The delays of one process; ``policy`` is ``no``, ``on-failure`` or ``always``."""

    policy: str
    _next_s: float = field(default=FIRST_S)

    def after(self, code: int, ran_s: float) -> float | None:
        """Return the seconds until it is started again; None where it is not.

        Args:
            code: what it exited with, ``-N`` for signal N.
            ran_s: for how long it ran.
        """
        if self.policy == "no" or (self.policy == "on-failure" and code == 0):
            return None
        if ran_s >= CALM_S:
            self._next_s = FIRST_S
        delay_s, self._next_s = self._next_s, min(self._next_s * 2, LONGEST_S)
        return delay_s
