"""Ctrl-C before a command has begun, while its modules are imported.

An import may swallow a KeyboardInterrupt (the interpreter's own callbacks do), and the command
would go on as if nobody had asked; in the first moments it would be a traceback. Nothing has been
done yet, so the process just ends.
"""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130


def hear() -> None:
    """End at Ctrl-C from now on, unless whoever started us wants it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def give_back() -> None:
    """Leave Ctrl-C to the command."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)
