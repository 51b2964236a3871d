"""Datagrams: each conversation a flow, its answers sent by a socket that speaks as the far end."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from tpconfig.errors import TpError
from tpconfig.local.flows import FlowTable, Key

Address = tuple[str, int]

MAX_FLOWS: Final = 1024
_MAX_HELD: Final = 32
"""Answers held while the socket that is to send them is being made."""


class UdpFlow(Protocol):
    """The tunnel's end of a conversation."""

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the far end, or drop it."""
        ...

    def close(self) -> None:
        """Forget the conversation; ``closed`` is not called for it any more."""
        ...


class UdpOpener(Protocol):
    """Starts conversations."""

    def __call__(
        self,
        destination: Address,
        *,
        deliver: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> UdpFlow:
        """Open a conversation with ``destination``; must not wait.

        ``deliver`` takes each datagram that comes back, ``closed`` says that no more will come.
        """
        ...


class _Voice:
    """A socket that sends as one far end, shared by all conversations with it."""

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.users: set[_Conversation] = set()


class _Conversation:
    def __init__(self, key: Key) -> None:
        self.key = key
        self.flow: UdpFlow | None = None
        self.held: deque[bytes] = deque(maxlen=_MAX_HELD)
        self.over = False


class UdpSwitch:
    """All conversations of one keeper's processes.

    ``reply_socket`` makes a voice, ``start`` runs a coroutine that the owner looks after.
    """

    def __init__(
        self,
        reply_socket: Callable[[Address], Awaitable[socket.socket]],
        start: Callable[[Coroutine[Any, Any, None]], None],
        opener: UdpOpener,
        *,
        max_flows: int = MAX_FLOWS,
    ) -> None:
        self._reply_socket = reply_socket
        self._start = start
        self._opener = opener
        self._table: FlowTable[_Conversation] = FlowTable(max_flows)
        self._voices: dict[Address, _Voice] = {}
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._table)

    def send(self, datagram: bytes, source: Address, destination: Address) -> None:
        """Pass on what a process sent, in its conversation or a new one."""
        key = Key(source, destination)
        conversation = self._table.use(key, self._loop.time())
        if conversation is None:
            conversation = self._open(key)
        if conversation.flow is not None:
            conversation.flow.send(datagram)

    def expire(self) -> None:
        """End what has been silent for too long."""
        for conversation in self._table.expire(self._loop.time()):
            self._end(conversation)

    def close(self) -> None:
        """End everything."""
        for conversation in self._table.clear():
            self._end(conversation)

    def _open(self, key: Key) -> _Conversation:
        conversation = _Conversation(key)
        evicted = self._table.add(key, conversation, self._loop.time())
        if evicted is not None:
            self._end(evicted)
        voice = self._voices.get(key.destination)
        if voice is None:
            voice = self._voices[key.destination] = _Voice()
            self._start(self._find_voice(key.destination, voice))
        voice.users.add(conversation)
        conversation.flow = self._opener(
            key.destination,
            deliver=lambda datagram: self._deliver(conversation, datagram),
            closed=lambda: self._forget(conversation),
        )
        if conversation.over:
            conversation.flow.close()
            conversation.flow = None
        return conversation

    async def _find_voice(self, destination: Address, voice: _Voice) -> None:
        try:
            sock = await self._reply_socket(destination)
        except (OSError, TpError):
            for conversation in tuple(voice.users):
                self._forget(conversation)
            return
        if not voice.users:
            sock.close()
            return
        sock.setblocking(False)
        voice.sock = sock
        for conversation in voice.users:
            while conversation.held:
                _say(sock, conversation.held.popleft(), conversation.key.source)

    def _deliver(self, conversation: _Conversation, datagram: bytes) -> None:
        if conversation.over:
            return
        self._table.use(conversation.key, self._loop.time())
        voice = self._voices[conversation.key.destination]
        if voice.sock is None:
            conversation.held.append(datagram)
        else:
            _say(voice.sock, datagram, conversation.key.source)

    def _forget(self, conversation: _Conversation) -> None:
        if self._table.remove(conversation.key, conversation):
            self._end(conversation)

    def _end(self, conversation: _Conversation) -> None:
        conversation.over = True
        destination = conversation.key.destination
        voice = self._voices[destination]
        voice.users.discard(conversation)
        if not voice.users:
            del self._voices[destination]
            if voice.sock is not None:
                voice.sock.close()
        if conversation.flow is not None:
            conversation.flow.close()
            conversation.flow = None


def _say(sock: socket.socket, datagram: bytes, listener: Address) -> None:
    try:
        sock.sendto(datagram, listener)
    except OSError:
        pass  # the listener has gone or has no room; UDP promises nothing
