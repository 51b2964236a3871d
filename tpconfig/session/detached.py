"""``tp up -d``: the session lives in a process of its own; this one waits until it is up.

Events come through a pipe, so that the waiting terminal shows just what a foreground one would.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from tpconfig.model.events import Event

FLAG = "--_events"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last message of a detached process: it is up (0), or why not, as rendered text."""

    code: int
    text: str = ""


class EventPipe:
    """The detached process's end of the pipe; writing goes nowhere once nobody reads."""

    def __init__(self, descriptor: int) -> None:
        self._file: BinaryIO | None = os.fdopen(descriptor, "wb", buffering=0)

    def emit(self, event: Event) -> None:
        """Hand an event to the waiting process."""
        self._write(event)

    def finish(self, outcome: Outcome) -> None:
        """Say how it went and let the waiting process go."""
        self._write(outcome)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, message: object) -> None:
        if self._file is not None:
            try:
                self._file.write(pickle.dumps(message))
            except OSError:
                self._file = None


def launch(arguments: Sequence[str], log: str, emit: Callable[[Event], None]) -> Outcome:
    """Start ``tp`` with ``arguments`` in a session of its own and follow it until it is up.

    Ctrl-C here is handed on: the detached process undoes what it did.
    """
    ours, theirs = os.pipe()
    with open(log, "ab", opener=_private) as output:
        program = subprocess.Popen(
            [sys.executable, "-m", "tpconfig", *arguments, FLAG, str(theirs)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(theirs,),
            start_new_session=True,
        )
    os.close(theirs)

    def hand_on(number: int, _frame: Any) -> None:
        program.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _follow(ours, program, emit)
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _follow(
    descriptor: int, program: subprocess.Popen[bytes], emit: Callable[[Event], None]
) -> Outcome:
    with os.fdopen(descriptor, "rb") as pipe:
        while True:
            try:
                message = pickle.load(pipe)  # our own process wrote it
            except EOFError:
                code = program.wait()
                return Outcome(code or 1, f"the detached process ended with exit code {code}")
            if isinstance(message, Outcome):
                return message
            emit(message)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
