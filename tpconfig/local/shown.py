"""What a workload's processes listen on, on the machine's own localhost too.

``curl localhost:3000`` in the next terminal works as if the processes had no network of their own.
The kernel tells nobody that somebody listens, so the table of the inside is looked at now and then.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from tpconfig.local.keeper import Keeper, KeeperLostError
from tpconfig.local.sockets import Owner, listening, loopback_ports
from tpconfig.mux import serving
from tpconfig.mux.splice import Splice

LOOK_S: Final = 0.4
"""Seconds between two looks: how late a port is shown at most."""

BACKLOG: Final = 512
EXHAUSTED_PAUSE_S: Final = 0.2

_LOOPBACKS: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

Say = Callable[[int, str], None]
"""Is told a port that cannot be shown, and why."""


@asynccontextmanager
async def show_ports(
    keeper: Keeper, *, without: Callable[[], Collection[int]], say: Say
) -> AsyncIterator[None]:
    """Show the TCP ports of a keeper's loopback on this machine's while the block runs.

    Args:
        keeper: whose processes; where they have no network of their own, there is nothing to do.
        without: ports that are somebody else's, the Pod's for one.
        say: is told once of each port that cannot be had here; it is tried again in silence.
    """
    if not keeper.isolated:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        shown = _Shown(keeper, say, tasks)
        following = tasks.create_task(shown.follow(without))
        try:
            yield
        finally:
            following.cancel()
            shown.close()


class _Shown:
    """The ports that are shown now."""

    def __init__(self, keeper: Keeper, say: Say, tasks: asyncio.TaskGroup) -> None:
        self._keeper = keeper
        self._say = say
        self._tasks = tasks
        self._open: dict[int, tuple[list[socket.socket], list[asyncio.Task[None]]]] = {}
        self._said: set[int] = set()
        self._splices: set[Splice] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    async def follow(self, without: Callable[[], Collection[int]]) -> None:
        """Look again and again."""
        process = Path("/proc") / str(self._keeper.pid)
        with await self._keeper.diag() or nullcontext() as diag:
            while True:
                self._look(loopback_ports(process, diag) - set(without()))
                await asyncio.sleep(LOOK_S)

    def _look(self, there: set[int]) -> None:
        for port in self._open.keys() - there:
            self._hide(port)
        self._said &= there
        for port in sorted(there - self._open.keys()):
            self._show(port)

    def close(self) -> None:
        """Hide all of them, and end their connections."""
        for port in tuple(self._open):
            self._hide(port)
        for task in self._connecting:  # one to a full backlog would hold the end up for minutes
            task.cancel()
        for splice in tuple(self._splices):
            splice.abort()

    def _show(self, port: int) -> None:
        socks: list[socket.socket] = []
        for family, host in _LOOPBACKS:
            try:
                socks.append(_listener(family, host, port))
            except OSError as error:
                if not socks and family == socket.AF_INET:
                    self._cannot(port, error)
                    return
                # somebody's on ::1 alone, or no IPv6 here: 127.0.0.1 is enough
        self._open[port] = socks, [self._spawn(self._accept(one, port)) for one in socks]

    def _hide(self, port: int) -> None:
        socks, tasks = self._open.pop(port)
        for task in tasks:
            task.cancel()
        for sock in socks:
            sock.close()

    def _cannot(self, port: int, error: OSError) -> None:
        if port in self._said:
            return
        self._said.add(port)
        if error.errno == errno.EADDRINUSE:
            holder = listening(wanted={("tcp", port)}).get(("tcp", port), Owner())
            ours = holder.pid == os.getpid()
            self._say(port, "tp itself, for another workload or a forward" if ours else str(holder))
        elif error.errno == errno.EACCES:
            self._say(port, "root alone, as all ports below 1024 do here")
        else:
            self._say(port, f"nobody, but: {error.strerror}")

    async def _accept(self, listener: socket.socket, port: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(EXHAUSTED_PAUSE_S)
                continue
            sock.setblocking(False)
            task = self._spawn(serving.contained(self._connect(sock, port)))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, sock: socket.socket, port: int) -> None:
        """Join a connection of the machine's with one that is made inside."""
        try:
            far = await self._keeper.connect(port)
        except (KeeperLostError, OSError):
            far = None
        except BaseException:
            serving.drop(sock)
            raise
        if far is None:
            serving.drop(sock)
            return
        splice = Splice()
        splice.on_done = lambda: self._splices.discard(splice)
        self._splices.add(splice)
        if not await serving.join(sock, splice.a):
            self._splices.discard(splice)
            far.close()
        elif not await serving.join(far, splice.b):
            splice.abort()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
