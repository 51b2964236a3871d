"""A program on the user's own terminal: Ctrl-C, job control and the window's size are its own.

Its process group becomes the terminal's foreground group, so the kernel does all of that; ``tp``
waits in the background and takes the terminal back afterwards, as a shell does.
"""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tpconfig.errors import UsageError
from tpconfig.local.keeper import Command, Keeper
from tpconfig.local.process import ProcessSpec

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2


async def run_in_foreground(keeper: Keeper, spec: ProcessSpec) -> int:
    """Run a program on standard input, output and error; return its exit code, or ``-signal``.

    Raises:
        UsageError: there is no such command or folder, or ``tp`` itself is in the background.
    """
    command = Command(spec.argv, spec.env, spec.cwd, STDIN, STDOUT, STDERR, foreground=True)
    with _terminal_given_away(STDIN):
        child = await keeper.spawn(command)
        try:
            return await child.wait()
        finally:
            # Not left behind without its terminal, should this be interrupted.
            await child.signal(signal.SIGHUP)
            await child.signal(signal.SIGCONT)


@contextmanager
def _terminal_given_away(descriptor: int) -> Iterator[None]:
    """Put the terminal's foreground group and modes back afterwards; nothing without one."""
    if not os.isatty(descriptor):
        yield
        return
    own_group = os.getpgrp()
    if os.tcgetpgrp(descriptor) != own_group:
        raise UsageError(
            "tp is in the background and cannot give its terminal to a program",
            hint="bring it to the foreground with `fg`, or start it without `&`",
        )
    modes = termios.tcgetattr(descriptor)
    try:
        yield
    finally:
        # From the background both calls would stop this process, were the signal not blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            os.tcsetpgrp(descriptor, own_group)
            termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)
        except (OSError, termios.error):
            pass  # the terminal has gone
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
