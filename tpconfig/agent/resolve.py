"""DNS questions, handed verbatim to the nameservers of a ``resolv.conf`` and the answers back.

Nothing is interpreted but what tells an answer from a stranger's packet (id and question) and what
says to ask again: a server that fails, and an answer that did not fit into UDP.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from tpconfig.agent import lookup
from tpconfig.mux import udpflow

DEADLINE_S: Final = 5.0
RETRY_S: Final = 1.0
MAX_NAMESERVERS: Final = 3
HEADER_SIZE: Final = 12

_RESPONSE: Final = 0x80
_TRUNCATED: Final = 0x02
_SERVFAIL: Final = 2
_ASK_ANOTHER: Final = frozenset({2, 4, 5})
"""SERVFAIL, NOTIMP, REFUSED: another server may know better (RFC 1035, 4.1.1)."""


def nameservers(resolv_conf: str) -> list[str]:
    """Return the addresses that a ``resolv.conf`` text names (resolv.conf(5))."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and lookup.literal(words[1], 0):
            found.append(words[1])
    return found[:MAX_NAMESERVERS]


def failure(query: bytes) -> bytes:
    """Return a SERVFAIL answer to ``query``, or nothing when it is no question at all."""
    if len(query) < HEADER_SIZE or query[2] & _RESPONSE:
        return b""
    end = _question_end(query)
    counts = bytes((0, 1 if end > HEADER_SIZE else 0, 0, 0, 0, 0, 0, 0))
    flags = bytes((_RESPONSE | (query[2] & 0x79), 0x80 | _SERVFAIL))
    return query[:2] + flags + counts + query[HEADER_SIZE:end]


class Forwarder:
    """Asks the nameservers in turn until one knows.

    Args:
        servers: addresses, the preferred one first.
        port: the port of all of them.
        deadline_s: how long a question may take before it has failed.
    """

    def __init__(
        self, servers: Sequence[str], *, port: int = 53, deadline_s: float = DEADLINE_S
    ) -> None:
        self._servers = tuple(servers)
        self._port = port
        self._deadline_s = deadline_s

    async def ask(self, query: bytes) -> bytes:
        """Return the answer; SERVFAIL when nobody answers, nothing when it is no question."""
        failed = failure(query)
        if not failed or not self._servers:
            return failed
        exchange = _Exchange(query, self._servers, port=self._port)
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    answer, server = await exchange.answer()
                finally:
                    exchange.close()
                if answer[2] & _TRUNCATED:
                    return await self._ask_tcp(query, server) or answer
                return answer
        except TimeoutError:
            return exchange.refusal or failed

    async def _ask_tcp(self, query: bytes, server: str) -> bytes | None:
        """Ask again where there is room for the whole answer (RFC 7766)."""
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await asyncio.open_connection(server, self._port)
            writer.write(len(query).to_bytes(2, "big") + query)
            size = int.from_bytes(await reader.readexactly(2), "big")
            answer = await reader.readexactly(size)
        except (OSError, EOFError):
            return None
        finally:
            if writer is not None:
                writer.transport.abort()
        return answer if _answers(answer, query) else None


class _Exchange:
    """One question on its way: a socket per server, all of them heard until one has answered."""

    def __init__(self, query: bytes, servers: Sequence[str], *, port: int) -> None:
        self.refusal = b""
        self._query = query
        self._servers = servers
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._asked: dict[str, udpflow.ConnectedUdp] = {}
        self._failed: set[str] = set()
        self._turn = 0
        self._retry: asyncio.TimerHandle | None = None
        self._answer: asyncio.Future[tuple[bytes, str]] = self._loop.create_future()

    async def answer(self) -> tuple[bytes, str]:
        """Return the first good answer and who gave it, or the last refusal there is."""
        self._next()
        return await self._answer

    def close(self) -> None:
        """Stop to listen."""
        if self._retry is not None:
            self._retry.cancel()
        for udp in self._asked.values():
            udp.close()
        self._asked.clear()
        self._answer.cancel()

    def _next(self) -> None:
        """Ask the next server, and the one after it in a second unless there is an answer."""
        if self._retry is not None:
            self._retry.cancel()
        if self._answer.done():
            return
        self._retry = self._loop.call_later(RETRY_S, self._next)
        server = self._servers[self._turn % len(self._servers)]
        self._turn += 1
        try:
            udp = self._asked.get(server) or self._connect(server)
        except OSError:
            self._fail(server)
        else:
            udp.send(self._query)

    def _connect(self, server: str) -> udpflow.ConnectedUdp:
        """Return a socket to ``server``: a port of its own per question, against forgers."""
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.connect((server, self._port))
        except OSError:
            sock.close()
            raise
        udp = udpflow.ConnectedUdp(
            sock,
            lambda answer: self._received(server, answer),
            failed=lambda error: self._fail(server),
        )
        self._asked[server] = udp
        return udp

    def _received(self, server: str, answer: bytes) -> None:
        if self._answer.done() or not _answers(answer, self._query):
            return
        if answer[3] & 0x0F in _ASK_ANOTHER:
            self.refusal = answer
            self._fail(server)
        else:
            self._answer.set_result((answer, server))

    def _fail(self, server: str) -> None:
        """Ask another server now; when all have failed, a refusal is the answer."""
        self._failed.add(server)
        if self._answer.done():
            return
        if len(self._failed) < len(set(self._servers)):
            if self._turn < len(self._servers):
                self._next()
        elif self.refusal:
            self._answer.set_result((self.refusal, server))


def _answers(answer: bytes, query: bytes) -> bool:
    """Whether ``answer`` has the id and the question of ``query``."""
    if len(answer) < HEADER_SIZE or answer[:2] != query[:2] or not answer[2] & _RESPONSE:
        return False
    if answer[4:6] == b"\0\0":
        return answer[3] & 0x0F != 0
    question = query[HEADER_SIZE : _question_end(query)]
    return answer[HEADER_SIZE : HEADER_SIZE + len(question)].lower() == question.lower()


def _question_end(query: bytes) -> int:
    """Return where the first question ends; the header's end when there is none."""
    if query[4:6] == b"\0\0":
        return HEADER_SIZE
    position = HEADER_SIZE
    while position < len(query):
        length = query[position]
        position += 1 + length
        if length == 0:
            return position + 4 if position + 4 <= len(query) else HEADER_SIZE
        if length > 63:
            break
    return HEADER_SIZE
