"""Names for the processes here: asked in the Pod, or on this machine where the policy says so.

The address of a name that did not go the default way is remembered, so that the connection that
follows goes the same way as the name did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tpconfig import names
from tpconfig.clock import Clock
from tpconfig.mux import serving
from tpconfig.mux.datagrams import Unpacker, pack
from tpconfig.mux.opening import Dns, OpeningError
from tpconfig.tunnel import dnsmessage
from tpconfig.tunnel.dnscache import DnsCache
from tpconfig.tunnel.link import Link
from tpconfig.tunnel.outbound import Way

Ask = Callable[[bytes], Awaitable[bytes]]
"""Answers one DNS message with another, both without a length in front."""

NameRoute = Callable[[str], Way]
"""Says for a name (lower case, no dot at its end) which way it goes."""

MACHINE_TTL_S: Final = 60
DEADLINE_S: Final = 6.0
MAX_IN_FLIGHT: Final = 1024
ATTEMPTS: Final = 3

_SLACK_S: Final = 30.0
"""Programs use addresses for longer than they may."""

_MAX_REMEMBERED: Final = 4096


class Remembered:
    """Addresses that do not go the default way for a while.

    Args:
        clock: tells when they no longer do.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s: dict[str, float] = {}

    def add(self, address: str, ttl_s: float) -> None:
        """Remember ``address`` for its time to live, and a little longer."""
        until_s = self._clock.monotonic_s() + ttl_s + _SLACK_S
        until_s = max(until_s, self._until_s.pop(address, 0.0))
        if len(self._until_s) >= _MAX_REMEMBERED:
            del self._until_s[next(iter(self._until_s))]
        self._until_s[address] = until_s

    def __contains__(self, address: str) -> bool:
        until_s = self._until_s.get(address)
        if until_s is None:
            return False
        if until_s < self._clock.monotonic_s():
            del self._until_s[address]
            return False
        return True


class Resolver:
    """Answers the questions of the processes here.

    Args:
        pod: asks in the Pod.
        machine: asks this machine's nameservers.
        route: which way a name goes.
        default: the way of what nothing else is said about.
        remembered: is told the addresses of names that went the other way.
        machine_address: what ``host.tp.internal`` means; None: it is asked for like any other.
        cache: keeps the Pod's answers; None: each question is asked.
    """

    def __init__(
        self,
        *,
        pod: Ask,
        machine: Ask,
        route: NameRoute,
        remembered: Remembered,
        default: Way = "pod",
        machine_address: str | None = None,
        cache: DnsCache | None = None,
    ) -> None:
        self._pod = pod
        self._machine = machine
        self._route = route
        self._remembered = remembered
        self._default = default
        self._machine_address = machine_address
        self._cache = cache

    async def answer(self, message: bytes) -> bytes:
        """Return the answer to a raw query, of whatever size; nothing for what is no query."""
        try:
            query = dnsmessage.parse_query(message)
        except dnsmessage.MessageError:
            return dnsmessage.malformed(message)
        if query.name == names.HOST_NAME and self._machine_address is not None:
            address, ttl_s = self._machine_address, MACHINE_TTL_S
            return dnsmessage.answer(message, query, address=address, ttl_s=ttl_s)
        way = self._route(query.name)
        if way == "machine":
            answer = await self._asked(self._machine, message, query=query)
        else:
            answer = await self._of_pod(message, query)
        if way != self._default:
            self._remember(answer)
        return answer

    async def _of_pod(self, message: bytes, query: dnsmessage.Query) -> bytes:
        """Give the Pod's answer, which may be one that it has given before."""
        if self._cache is None:
            return await self._asked(self._pod, message, query=query)
        answer = self._cache.get(message, query)
        if answer is None:
            answer = await self._asked(self._pod, message, query=query)
            self._cache.put(message, query, answer)
        return answer

    async def _asked(self, ask: Ask, message: bytes, *, query: dnsmessage.Query) -> bytes:
        try:
            return await ask(message)
        except OSError:
            return dnsmessage.answer(message, query, code=dnsmessage.SERVFAIL)

    def _remember(self, answer: bytes) -> None:
        try:
            for record in dnsmessage.addresses(answer):
                self._remembered.add(record.address, record.ttl_s)
        except dnsmessage.MessageError:
            pass  # whoever asked will find that out too


class PodResolver:
    """Asks in the Pod, over one stream that is opened when it is needed.

    Args:
        link: the link to the Pod.
        deadline_s: how long a question may take, a lost link included.
    """

    def __init__(self, link: Link, *, deadline_s: float = DEADLINE_S) -> None:
        self._link = link
        self._deadline_s = deadline_s
        self._questions: _Questions | None = None

    async def ask(self, query: bytes) -> bytes:
        """Return the answer to ``query``, with the id of the query.

        Raises:
            OSError: there was no answer in time.
        """
        async with asyncio.timeout(self._deadline_s):
            for _ in range(ATTEMPTS):
                await self._link.wait_up(timeout_s=self._deadline_s)
                try:
                    return await self._stream().ask(query)
                except ConnectionResetError:
                    await asyncio.sleep(0)  # the link is lost: let it notice
        raise ConnectionResetError("the stream of questions is reset again and again")

    def _stream(self) -> _Questions:
        if self._questions is None or self._questions.over:
            questions = _Questions()
            try:
                reader = serving.AnswerReader(questions, lambda refusal: None)
                self._link.open(reader, Dns())
            except OpeningError as error:
                raise ConnectionResetError(str(error)) from error
            self._questions = questions
        return self._questions


class _Questions(asyncio.Protocol):
    """The stream: each question on its way has an id of our own."""

    def __init__(self) -> None:
        self.over = False
        self._loop = asyncio.get_running_loop()
        self._stream: asyncio.Transport | None = None
        self._unpacker = Unpacker()
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._last_id = 0

    async def ask(self, query: bytes) -> bytes:
        """Return the answer.

        Raises:
            ConnectionResetError: the stream is lost.
            ConnectionRefusedError: it is refused.
            BlockingIOError: too many questions wait.
        """
        if self._stream is None:
            raise ConnectionResetError("the stream is lost")
        if len(self._waiting) >= MAX_IN_FLIGHT:
            raise BlockingIOError("too many questions wait for their answers")
        ident = self._free_id()
        answered: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[ident] = answered
        self._stream.write(pack(ident + query[2:]))
        try:
            return query[:2] + (await answered)[2:]
        finally:
            self._waiting.pop(ident, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport

    def data_received(self, data: bytes) -> None:
        """Give every answer to who asked."""
        for answer in self._unpacker.feed(data):
            answered = self._waiting.get(answer[:2])
            if answered is not None and not answered.done():
                answered.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail every question."""
        self._stream = None
        self.over = True
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(exc or ConnectionResetError("the stream ended"))

    def _free_id(self) -> bytes:
        while True:
            self._last_id = (self._last_id + 1) & 0xFFFF
            ident = self._last_id.to_bytes(2, "big")
            if ident not in self._waiting:
                return ident
