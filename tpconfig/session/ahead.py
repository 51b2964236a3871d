"""Reads the file in a process of its own while this one imports what a session needs.

What checks a file takes as long to import as all the rest together, and is needed once: what comes
of it is small. A second processor does the one while the first does the other.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from tpconfig.errors import Problem
from tpconfig.session.wish import STDIN, Reload, Wish

_PR_SET_PDEATHSIG: Final = 1


@dataclass(slots=True)
class Ahead:
    """A wish that is being read; ``take`` waits for it."""

    reload: Reload
    environ: Mapping[str, str]
    _process: tuple[int, int] | None

    def take(self) -> tuple[Wish, list[Problem]]:
        """Return the wish, and what the file should be told but is no error.

        Whatever the other process could not do is done again here, and says here what is wrong.

        Raises:
            ConfigError: it is missing, broken, or asks for what this version cannot do.
        """
        sent, self._process = _received(self._process), None
        try:
            wish, noted = pickle.loads(sent)  # our own process wrote it
        except (EOFError, pickle.UnpicklingError):
            return _read(self.reload, self.environ)
        return replace(wish, environ=self.environ), noted


def read_ahead(reload: Reload, environ: Mapping[str, str]) -> Ahead:
    """Begin to read the file that a command is about.

    Args:
        reload: which files; one that is standard input is left to ``take``.
        environ: for interpolation and ``TP_IMAGE``.
    """
    apart = STDIN not in reload.files
    return Ahead(reload, environ, _start(reload, environ) if apart else None)


def _read(reload: Reload, environ: Mapping[str, str]) -> tuple[Wish, list[Problem]]:
    from tpconfig.session import loading

    noted: list[Problem] = []
    return loading.load(reload, environ, noted=noted), noted


def _start(reload: Reload, environ: Mapping[str, str]) -> tuple[int, int]:
    """Fork; return the process and where its answer comes from."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            _end_with_the_parent()
            os.close(ours)
            wish, noted = _read(reload, environ)
            with os.fdopen(theirs, "wb") as pipe:
                pickle.dump((replace(wish, environ={}), noted), pipe)
        os._exit(0)
    os.close(theirs)
    return pid, ours


def _end_with_the_parent() -> None:
    """Be gone when whoever waits for us is, and at Ctrl-C, without a word."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _received(process: tuple[int, int] | None) -> bytes:
    """Return what the process sent; not all of it where it failed."""
    if process is None:
        return b""
    pid, ours = process
    with os.fdopen(ours, "rb") as pipe:
        sent = pipe.read()
    with suppress(ChildProcessError):  # it is our parent's where we have left the terminal since
        os.waitpid(pid, 0)
    return sent
