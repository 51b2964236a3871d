"""Datagrams: each conversation a flow, whose answers come from where the process sent to."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final, Protocol

from tpconfig.local.flows import FlowTable, Key

Address = tuple[str, int]

MAX_FLOWS: Final = 1024
_IP_AND_UDP: Final = struct.Struct("!2B3H2BH4s4s4H")
_IPV4_20_BYTES: Final = 0x45
_TTL: Final = 64


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


class _Conversation:
    def __init__(self, key: Key) -> None:
        self.key = key
        self.flow: UdpFlow | None = None
        self.over = False


class UdpSwitch:
    """All conversations of one keeper's processes; ``voice`` sends packets to them."""

    def __init__(
        self, voice: socket.socket, opener: UdpOpener, *, max_flows: int = MAX_FLOWS
    ) -> None:
        self._voice = voice
        self._opener = opener
        self._table: FlowTable[_Conversation] = FlowTable(max_flows)
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
        conversation.flow = self._opener(
            key.destination,
            deliver=lambda datagram: self._deliver(conversation, datagram),
            closed=lambda: self._forget(conversation),
        )
        if conversation.over:
            conversation.flow.close()
            conversation.flow = None
        return conversation

    def _deliver(self, conversation: _Conversation, datagram: bytes) -> None:
        if conversation.over:
            return
        key = conversation.key
        self._table.use(key, self._loop.time())
        say(self._voice, datagram, speaker=key.destination, listener=key.source)

    def _forget(self, conversation: _Conversation) -> None:
        if self._table.remove(conversation.key, conversation):
            self._end(conversation)

    def _end(self, conversation: _Conversation) -> None:
        conversation.over = True
        if conversation.flow is not None:
            conversation.flow.close()
            conversation.flow = None


def say(voice: socket.socket, datagram: bytes, *, speaker: Address, listener: Address) -> None:
    """Send a datagram as ``speaker``; it is dropped where that cannot be."""
    try:
        voice.sendto(packet(datagram, speaker=speaker, listener=listener), (listener[0], 0))
    except OSError:
        pass  # the listener has gone or has no room; UDP promises nothing


def packet(datagram: bytes, *, speaker: Address, listener: Address) -> bytes:
    """Return a datagram as a whole IPv4 packet (RFC 791, RFC 768).

    The kernel fills in the length, the number and the checksum of the IP header; a UDP checksum
    of 0 means that there is none, and nothing is damaged on the way through ``lo``.
    """
    length = _IP_AND_UDP.size - 20 + len(datagram)
    ip = (_IPV4_20_BYTES, 0, 0, 0, 0, _TTL, socket.IPPROTO_UDP, 0)
    ends = (socket.inet_aton(speaker[0]), socket.inet_aton(listener[0]))
    return _IP_AND_UDP.pack(*ip, *ends, speaker[1], listener[1], length, 0) + datagram
