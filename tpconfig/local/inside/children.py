"""Starting processes, hearing of their end, and ending all of them, grandchildren included."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from tpconfig.local.inside import syscalls

_ERROR_BYTES: Final = 512

_GIVE_UP_S: Final = 5.0
"""After this long nothing is left but what this user may not kill."""


class StartError(Exception):
    """The program could not be started; ``number`` is the errno of the step ``stage``."""

    def __init__(self, number: int, stage: str) -> None:
        super().__init__(f"{stage}: {os.strerror(number)}")
        self.number = number
        self.stage = stage


def start(request: dict[str, Any], descriptors: tuple[int, ...]) -> int:
    """Start a program in a process group of its own and return its pid once it runs.

    ``request``: ``argv``, ``env``, ``cwd``, ``foreground``; ``descriptors`` become 0, 1 and 2.
    """
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(request, descriptors, tell)
    os.close(tell)
    try:
        report = os.read(told, _ERROR_BYTES)
    finally:
        os.close(told)
    if report:
        os.waitpid(pid, 0)
        number, _, stage = report.decode().partition(" ")
        raise StartError(int(number), stage)
    return pid


def _become(request: dict[str, Any], descriptors: tuple[int, ...], tell: int) -> NoReturn:
    stage = "start"
    try:
        keeper = os.getppid()
        syscalls.die_with_parent(signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        if request["foreground"]:
            os.setpgid(0, 0)
            if os.isatty(0):
                os.tcsetpgrp(0, os.getpid())
        else:
            os.setsid()
        restore_signals(signal.valid_signals())
        stage = "cwd"
        os.chdir(request["cwd"])
        stage = "exec"
        execute(request["argv"], request["env"])
    except OSError as error:
        os.write(tell, f"{error.errno} {stage}".encode())
    finally:
        os._exit(127)


def execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    """Become a program, searched for as a shell does: a folder that is closed to us has none.

    Raises:
        OSError: ENOENT if there is no such program, else what the kernel says of the one there is.
    """
    program = argv[0]
    if os.sep in program:
        os.execve(program, argv, env)
    found = None
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or os.curdir, program)
        if os.path.isfile(path):
            found = found or path
            if os.access(path, os.X_OK):
                os.execve(path, argv, env)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), found)


def restore_signals(numbers: Iterable[int]) -> None:
    """Give signals their default meaning again, as a shell's child expects it."""
    for number in numbers:
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                continue
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def signal_group(leader: int, number: int) -> bool:
    """Send a signal to a process group; return whether there is one."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def changed() -> list[tuple[int, int | None]]:
    """Return the children that ended, with their exit code, or stopped (``None``).

    A negative code is the signal that ended the child. Stops that the terminal brought about
    (reading or writing from the background) are not reported.
    """
    found: list[tuple[int, int | None]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if not os.WIFSTOPPED(status):
            found.append((pid, os.waitstatus_to_exitcode(status)))
        elif os.WSTOPSIG(status) in (signal.SIGTSTP, signal.SIGSTOP):
            found.append((pid, None))


def end_all(leaders: dict[int, bool], *, grace_s: float) -> None:
    """End and reap every descendant: asked first, killed after ``grace_s`` seconds.

    ``leaders``: the leaders of process groups, and whether each sits on a terminal. Those are
    told as when it is closed: an interactive shell does not listen to SIGTERM.
    """
    for leader, on_terminal in leaders.items():
        if on_terminal:
            signal_group(leader, signal.SIGHUP)
    _signal_all(leaders, signal.SIGTERM)
    _signal_all(leaders, signal.SIGCONT)
    now_s = time.monotonic()
    while _reap_some() and time.monotonic() < now_s + grace_s:
        time.sleep(0.01)
    while _reap_some() and time.monotonic() < now_s + grace_s + _GIVE_UP_S:
        _signal_all(leaders, signal.SIGKILL)
        time.sleep(0.005)


def _reap_some() -> bool:
    """Reap what has ended; return whether there are children left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _signal_all(leaders: Iterable[int], number: int) -> None:
    if not syscalls.LINUX:
        for leader in leaders:
            signal_group(leader, number)
        return
    for pid in _descendants(os.getpid()):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(name))
    found: list[int] = []
    queue = [root]
    while queue:
        offspring = children.get(queue.pop(), [])
        found += offspring
        queue += offspring
    return found
