"""Requests to a keeper and its answers and reports, on one socket in one event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import IO, Final

from tpconfig.errors import TpError
from tpconfig.local.inside import wire

_LAST_WORDS: Final = 4096

Answer = tuple[wire.Message, tuple[int, ...]]


class KeeperLostError(TpError):
    """The keeper ended without having been told to, and its processes with it."""


class RefusedError(Exception):
    """The keeper could not do what it was asked for; ``number`` is the errno."""

    def __init__(self, number: int, stage: str) -> None:
        super().__init__(f"{stage}: {os.strerror(number)}")
        self.number = number
        self.stage = stage


class Conversation:
    """Owns the socket; answers find their request by number.

    ``said`` is the file that the keeper's last words go to, should it fail.
    """

    def __init__(self, sock: socket.socket, said: IO[bytes]) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._said = said
        self._inbox = wire.Inbox(sock)
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._posted: dict[int, Callable[[Answer], None]] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._requests = 0
        self._sending = asyncio.Lock()
        self._over = False
        self._loop.add_reader(sock, self._readable)

    async def first(self) -> Answer:
        """Wait for the keeper's first message, which nobody asked for."""
        return await self._first

    async def ask(self, request: wire.Message, descriptors: tuple[int, ...] = ()) -> Answer:
        """Send a request and wait for its answer; the descriptors in it are the caller's.

        Raises:
            RefusedError: the keeper could not do it.
            KeeperLostError: there is no keeper any more.
        """
        self._requests += 1
        number = self._requests
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[number] = answer
        try:
            await self.tell({**request, "id": number}, descriptors)
            message, received = await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled():
                _close(answer.result()[1])
            raise
        finally:
            del self._waiting[number]
        if "errno" in message:
            raise RefusedError(message["errno"], message["stage"])
        return message, received

    async def tell(self, message: wire.Message, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message that has no answer."""
        header, body = wire.encode(message, len(descriptors))
        async with self._sending:
            if self._over:
                raise self._lost()
            try:
                await self._send_header(header, descriptors)
                await self._loop.sock_sendall(self._sock, body)
            except OSError as error:
                self._end()
                raise self._lost() from error

    def post(self, request: wire.Message, answered: Callable[[Answer], None]) -> bool:
        """Send a small request without waiting; return whether it went.

        ``answered`` is called with the answer, if there is one.
        """
        if self._over or self._sending.locked():
            return False
        self._requests += 1
        header, body = wire.encode({**request, "id": self._requests})
        try:
            self._sock.send(header + body)
        except OSError:
            return False
        self._posted[self._requests] = answered
        return True

    def exit_of(self, pid: int) -> asyncio.Future[int]:
        """Return the future exit code of the child that was started last with this pid."""
        return self._exits[pid]

    async def signal(self, pid: int, number: int) -> bool:
        """Signal the process group that ``pid`` leads; return whether there is one."""
        try:
            answer, _ = await self.ask({"do": "signal", "pid": pid, "signal": int(number)})
        except KeeperLostError:
            return False  # and with it its children
        return bool(answer["alive"])

    def close(self) -> None:
        """Hang up: for the keeper that is the order to end everything."""
        self._end()
        self._sock.close()

    async def _send_header(self, header: bytes, descriptors: tuple[int, ...]) -> None:
        while True:
            try:
                self._sock.sendmsg([header], wire.ancillary(descriptors))
            except BlockingIOError:
                await self._writable()
            else:
                return

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._sock, _resolve, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        try:
            messages = self._inbox.receive()
        except BlockingIOError:
            return
        except (OSError, ValueError):
            messages = None
        if messages is None:
            self._end()
            return
        for message, descriptors in messages:
            self._dispatch(message, descriptors)

    def _dispatch(self, message: wire.Message, descriptors: tuple[int, ...]) -> None:
        if "exited" in message:
            exit_code = self._exits[message["exited"]]
            if not exit_code.done():
                exit_code.set_result(message["code"])
            return
        if "pid" in message:
            # Here and not by who asked: the exit may be the next message of this very batch.
            self._exits[message["pid"]] = self._loop.create_future()
        answered = self._posted.pop(message.get("id", 0), None)
        if answered is not None:
            answered((message, descriptors))
            return
        waiting = self._waiting.get(message["id"]) if "id" in message else self._first
        if waiting is not None and not waiting.done():
            waiting.set_result((message, descriptors))
        else:
            _close(descriptors)

    def _lost(self) -> KeeperLostError:
        words = b"" if self._said.closed else os.pread(self._said.fileno(), _LAST_WORDS, 0)
        details = words.decode(errors="replace").splitlines()
        return KeeperLostError("the keeper of the processes ended unexpectedly", details=details)

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        self._loop.remove_reader(self._sock)
        self._inbox.close()
        for future in (self._first, *self._waiting.values()):
            if not future.done():
                future.set_exception(self._lost())
                future.exception()  # nobody may be waiting any more
        for exit_code in self._exits.values():
            if not exit_code.done():
                exit_code.set_result(-signal.SIGKILL)


def _close(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
