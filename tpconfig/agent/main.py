"""The agent as a program: reads its settings, serves until SIGTERM, says why when it cannot.

Nothing here needs a writable file system, a known user or a second process.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Final

from tpconfig.agent import pod as pods
from tpconfig.agent.log import Log
from tpconfig.agent.pod import Pod
from tpconfig.agent.probe import Probes
from tpconfig.agent.server import LinkServer
from tpconfig.agent.settings import Settings, SettingsError, take

LOOK_S: Final = 0.1
TERMINATION_LOG: Final = "/dev/termination-log"

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class CannotStartError(Exception):
    """The agent cannot do its work in this Pod; the message is for the user."""


def main(early: socket.socket | None = None) -> int:
    """Run the agent; return the process's exit code.

    Args:
        early: listens for links already.
    """
    log = Log(sys.stdout)
    path = TERMINATION_LOG
    try:
        settings = take(os.environ)
        path = settings.termination_log
        _raise_descriptors()
        loop_factory = _fast_loop()
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_serve(settings, log, _loop_name(loop_factory), early))
    except Exception as error:
        cause = _innermost(error)
        if isinstance(cause, CannotStartError | SettingsError):
            return _fail(f"the agent cannot start: {cause}", path=path, log=log)
        traceback.print_exc()
        return _fail(f"a bug in the agent: {cause!r}", path=path, log=log)
    return 0


async def _serve(settings: Settings, log: Log, loop: str, early: socket.socket | None) -> None:
    pod = pods.find(settings, log)
    server = LinkServer(pod)
    probes = Probes(pod.readiness)
    stopping, stop_now = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (stop_now if stopping.is_set() else stopping).set()

    for number in _STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        async with asyncio.TaskGroup() as tasks:
            _listen(settings.link_port, lambda: server.listen(tasks, early))
            _listen(settings.probe_port, lambda: probes.listen(settings.probe_port, tasks))
            python = sys.version.split()[0]
            log.write("started", version=settings.version, python=python, loop=loop)
            await stopping.wait()
            log.write("stopping")
            await _drain(pod, server, stop_now=stop_now)
            server.close()
            probes.close()
            raise _DoneError
    except* _DoneError:
        log.write("stopped")
    finally:
        for number in _STOPPING:
            # The loop is about to close: a late signal must neither find it closed nor kill.
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


class _DoneError(Exception):
    """Ends what is left of the agent's tasks."""


async def _drain(pod: Pod, server: LinkServer, *, stop_now: asyncio.Event) -> None:
    """Go on serving until callers have noticed: those that come late, and those that are here."""
    pod.readiness.end()
    loop = asyncio.get_running_loop()
    until_s = loop.time() + pod.settings.drain_s
    while server.current is not None and not stop_now.is_set():
        nobody = not server.current.connections or not server.current.attached
        if loop.time() >= until_s and nobody:
            return
        try:
            async with asyncio.timeout(LOOK_S):
                await stop_now.wait()
        except TimeoutError:
            pass


def _listen(port: int, listen: Callable[[], None]) -> None:
    try:
        listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStartError(
                f"port {port} is in use by another container of this Pod; declare it there "
                "(`ports: containerPort`), then `tp` takes another one"
            ) from error
        raise CannotStartError(f"port {port}: {error.strerror or error}") from error


def _fail(message: str, *, path: str, log: Log) -> int:
    """Leave the last words where the kubelet looks for them."""
    log.write("failed", message=message)
    try:
        # Never created: without a kubelet there is no such file, and nobody who would read it.
        file = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except OSError:
        return 1
    with open(file, "w", encoding="utf-8", errors="replace") as termination_log:
        termination_log.write(message + "\n")
    return 1


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _raise_descriptors() -> None:
    """Take as many descriptors as may be had: each connection is one, and 1,024 are usual."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop where the image has it."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _loop_name(factory: object) -> str:
    return "asyncio" if factory is None else "uvloop"
