"""Whether traffic should come to this Pod, and which probers know it.

A prober is answered at once when it does not know the state yet, else its probe is held until the
state changes. What counts is what *each* prober was told last: another Pod that looks at the same
path must not make the kubelet wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_PROBERS: Final = 256


class Readiness:
    """Whether traffic should come here, and which probers have been told so."""

    def __init__(self) -> None:
        self._value = False
        self._final = False
        self._told: dict[str, bool] = {}
        self._held: dict[Callable[[bool], None], str] = {}

    @property
    def value(self) -> bool:
        """The state that the next answer carries."""
        return self._value

    @property
    def final(self) -> bool:
        """Whether the state is *not ready* for good."""
        return self._final

    def set(self, value: bool) -> None:
        """Change the state and answer every probe that waits for a change."""
        if self._final or value == self._value:
            return
        self._value = value
        for answer in list(self._held):
            self.answer(answer)

    def end(self) -> None:
        """Be not ready from now on, whatever is set later."""
        self.set(False)
        self._final = True

    def probe(self, prober: str, answer: Callable[[bool], None]) -> bool:
        """Answer at once when ``prober`` does not know the state yet, else hold the probe.

        Returns:
            Whether the probe is held: ``answer`` is called later, by ``set`` or ``answer``.
        """
        self._held[answer] = prober
        if self._told.get(prober) == self._value:
            return True
        self.answer(answer)
        return False

    def answer(self, answer: Callable[[bool], None]) -> None:
        """Answer a probe now, with the state there is."""
        prober = self._held.pop(answer, None)
        if prober is None:
            return
        self._told.pop(prober, None)
        self._told[prober] = self._value
        if len(self._told) > MAX_PROBERS:
            # Who is forgotten is answered at once the next time: the harmless direction.
            del self._told[next(iter(self._told))]
        answer(self._value)

    def forget(self, answer: Callable[[bool], None]) -> None:
        """Drop a held probe whose asker went away: nobody was told anything."""
        self._held.pop(answer, None)
