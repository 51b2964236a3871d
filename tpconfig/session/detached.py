"""``tp up -d``: the session lives in a process of its own; this one waits until it is up.

Events come through a pipe, so that the waiting terminal shows just what a foreground one would.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from tpconfig.model.events import Event

LOG_BYTES: Final = 1024 * 1024
"""A log that is longer than this begins anew with the next session."""


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


def launch(session: Callable[[EventPipe], int], log: str, emit: Callable[[Event], None]) -> Outcome:
    """Run ``session`` in a process of its own and follow it until it is up.

    Forked, not started anew: what is imported already need not be again. Ctrl-C here is handed on:
    the detached process undoes what it did.

    Args:
        session: holds the session and returns its exit code; never returns here.
        log: what the process writes to, instead of the terminal.
        emit: is given its events.
    """
    ours, theirs = os.pipe()
    pids: list[int] = []

    def hand_on(number: int, _frame: Any) -> None:
        for pid in pids:
            os.kill(pid, number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        pid = os.fork()
        if pid == 0:
            for number, action in before.items():
                signal.signal(number, action)
            os.close(ours)
            _leave_the_terminal(log)
            sys.exit(session(EventPipe(theirs)))
        pids.append(pid)
        os.close(theirs)
        return _follow(ours, pid, emit)
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _leave_the_terminal(log: str) -> None:
    """Have a session and files of one's own; what was printed so far is the terminal's."""
    os.setsid()
    with suppress(OSError):
        if os.path.getsize(log) > LOG_BYTES:
            os.truncate(log, 0)
    with (
        open(os.devnull, "rb") as nothing,
        open(log, "ab", opener=_private) as output,
    ):
        for source, number in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source.fileno(), number)


def _follow(descriptor: int, pid: int, emit: Callable[[Event], None]) -> Outcome:
    with os.fdopen(descriptor, "rb") as pipe:
        while True:
            try:
                message = pickle.load(pipe)  # our own process wrote it
            except EOFError:
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                return Outcome(code or 1, f"the detached process ended with exit code {code}")
            if isinstance(message, Outcome):
                if message.code:
                    os.waitpid(pid, 0)  # it has nothing left but to end
                return message
            emit(message)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
