"""Becoming a program inside the namespaces of a keeper, for ``tp run``.

Its own start of Python, because ``setns`` into a user namespace wants a single thread, and
whoever calls may have several. Standard input, output, error and the terminal are not touched.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Final, NoReturn

from tpconfig.local.inside import children, syscalls

_KINDS: Final = (
    ("user", syscalls.CLONE_NEWUSER),
    ("uts", syscalls.CLONE_NEWUTS),
    ("net", syscalls.CLONE_NEWNET),
    ("mnt", syscalls.CLONE_NEWNS),
)
_SILENCED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)
"""All others stay as the caller has them: who says ``nohup`` means it."""

OUR_FAILURE: Final = 125
NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127


def become(descriptor: int) -> NoReturn:
    """Read ``{"keeper", "argv", "env", "cwd"}`` from ``descriptor`` and become that program."""
    with os.fdopen(descriptor, "rb") as file:
        request = json.load(file)
    program = request["argv"][0]
    try:
        _move(request["keeper"])
        os.chdir(request["cwd"])
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        _give_up(OUR_FAILURE, f"cannot enter the workload:{place} {error.strerror}")
    children.restore_signals(_SILENCED_BY_PYTHON)
    try:
        children.execute(request["argv"], request["env"])
    except FileNotFoundError:
        _give_up(NOT_FOUND, f"{program}: command not found")
    except OSError as error:
        _give_up(NOT_EXECUTABLE, f"{program}: {error.strerror}")


def _move(keeper: int) -> None:
    """Enter those of the keeper's namespaces that are not this process's already."""
    if not syscalls.LINUX:
        return
    doors = []
    for name, kind in _KINDS:
        path = f"/proc/{keeper}/ns/{name}"
        if os.readlink(path) != os.readlink(f"/proc/self/ns/{name}"):
            doors.append((os.open(path, os.O_RDONLY), kind))
    for door, kind in doors:
        syscalls.setns(door, kind)
        os.close(door)


def _give_up(code: int, text: str) -> NoReturn:
    sys.stderr.write(f"tp: {text}\n")
    sys.stderr.flush()
    os._exit(code)
