"""How a request reaches the API server: credentials, repeats, limits, and what its headers say.

A request is sent again only where that is safe: when it certainly did not arrive, or when carrying
it out twice is the same as once. A change whose answer got lost is reported as exactly that.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from yarl import URL

import tpconfig
from tpconfig.cluster import failures
from tpconfig.cluster.http import aiohttp

if TYPE_CHECKING:
    from tpconfig.cluster.kubeconfig import Access

Query = Mapping[str, str]

_log = logging.getLogger(__name__)

_USER_AGENT: Final = f"tp/{tpconfig.__version__}"
_WARNING: Final = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds.

    Attributes:
        connect_s: for one connection to come about, TLS included.
        answer_s: for one answer.
        first_s: how long connecting is repeated before the server has ever answered.
        again_s: how long it is repeated once the server is known to be there.
        throttle_s: how long the server may ask us to come back later, in sum.
    """

    connect_s: float = 5.0
    answer_s: float = 30.0
    first_s: float = 2.0
    again_s: float = 10.0
    throttle_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request; ``repeatable`` where carrying it out twice is the same as once."""

    method: str
    path: str
    query: Query
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    repeatable: bool = False


class Transport:
    """Sends requests to one cluster as one user."""

    def __init__(
        self, access: Access, reload: Callable[[], Awaitable[Access]], *, patience: Patience
    ) -> None:
        self.access = access
        self.on_warning: Callable[[str], None] | None = None
        self._reload = reload
        self._patience = patience
        self._session = access.open_session()
        self._former: tuple[aiohttp.ClientSession, ...] = ()
        self._refreshing = asyncio.Lock()
        self._warnings: set[str] = set()
        self._date: tuple[datetime, float] | None = None

    def server_time(self) -> datetime:
        """Return the API server's idea of now: its last answer's Date, plus the time since.

        Raises:
            RuntimeError: it has not answered yet.
        """
        if self._date is None:
            raise RuntimeError("the API server has not answered yet")
        date, seen_s = self._date
        return date + timedelta(seconds=_now_s() - seen_s)

    async def close(self) -> None:
        """Close every connection."""
        for session in (*self._former, self._session):
            await session.close()

    async def answer(self, call: Call) -> bytes:
        """Send a request until it is answered for good, or our patience is at its end."""
        began_s, throttled_s, broken = time.monotonic(), 0.0, 0
        while True:
            try:
                async with await self.send(call) as response:
                    async with asyncio.timeout(self._patience.answer_s):
                        body = await response.read()
            except (aiohttp.ClientError, OSError) as error:
                self._give_up_on(error, call, time.monotonic() - began_s)
                await asyncio.sleep(backoff_s(broken))
                broken += 1
                continue
            if response.status < 400:
                return body
            wait_s = _retry_after_s(response)
            if wait_s is None or throttled_s + wait_s > self._patience.throttle_s:
                raise failures.of_answer(response.status, body, method=call.method, path=call.path)
            throttled_s += wait_s
            _log.info("asked to wait", extra={"path": call.path, "wait_s": wait_s})
            await asyncio.sleep(wait_s * random.uniform(1.0, 1.1))

    def _give_up_on(self, error: BaseException, call: Call, waited_s: float) -> None:
        """Raise what a broken request means, unless it may be sent again."""
        unsent = failures.is_unsent(error)
        if not (unsent or call.repeatable):
            raise failures.answer_lost(self.access.server, call.method, call.path, error) from error
        limit_s = self._patience.first_s if self._date is None else self._patience.again_s
        _log.info("no answer", extra={"path": call.path, "error": str(error) or repr(error)})
        if failures.is_hopeless(error) or waited_s >= limit_s:
            raise failures.unreachable(self.access.server, waited_s, error) from error

    async def send(
        self, call: Call, headers: Mapping[str, str] | None = None
    ) -> aiohttp.ClientResponse:
        """Send a request once; with fresh credentials once more where the old ones ran out."""
        access = self.access
        response = await self._request(call, headers or {})
        if response.status == 401:
            response.close()
            await self._refresh(access)
            response = await self._request(call, headers or {})
        return response

    async def _request(self, call: Call, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        access = self.access
        sent = {"Accept": call.accept, "User-Agent": _USER_AGENT, **await access.headers()}
        if call.body is not None:
            sent["Content-Type"] = call.content_type
        query = f"?{urlencode(call.query)}" if call.query else ""
        began_s = time.monotonic()
        async with asyncio.timeout(self._patience.answer_s):
            response = await self._session.request(
                call.method,
                URL(f"{access.server}{call.path}{query}", encoded=True),
                data=call.body,
                headers={**sent, **headers},
                proxy=access.proxy,
                server_hostname=access.server_name,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._patience.connect_s),
            )
        self._note(response)
        said = {"method": call.method, "path": call.path + query, "status": response.status}
        _log.debug("request", extra={**said, "took_s": time.monotonic() - began_s})
        return response

    async def _refresh(self, used: Access) -> None:
        """Get fresh credentials, once for all the requests that were refused with the old ones."""
        async with self._refreshing:
            if self.access is not used:
                return
            access = await self._reload()
            if access.server != used.server:  # the file was changed to mean another cluster
                return
            if access.identity != used.identity:
                self._former = (*self._former, self._session)
                self._session = access.open_session()
            self.access = access

    async def refusal(self, call: Call, response: aiohttp.ClientResponse) -> failures.ApiError:
        async with asyncio.timeout(self._patience.answer_s):
            body = await response.read()
        return failures.of_answer(
            response.status,
            body,
            method=call.method,
            path=call.path,
            watching=call.query.get("watch") == "true",
        )

    def _note(self, response: aiohttp.ClientResponse) -> None:
        """Take the server's clock and its warnings from an answer."""
        if date := response.headers.get("Date"):
            with suppress(ValueError):
                self._date = parsedate_to_datetime(date), _now_s()
        for header in response.headers.getall("Warning", ()):
            for quoted in _WARNING.findall(header):
                text = re.sub(r"\\(.)", r"\1", quoted)
                if text not in self._warnings:
                    self._warnings.add(text)
                    if self.on_warning is not None:
                        self.on_warning(text)


def backoff_s(failures_so_far: int, *, limit_s: float = 5.0) -> float:
    """Return how long to wait before the next try: 0.1 s, doubling, with jitter."""
    return min(limit_s, 0.1 * 2.0 ** min(failures_so_far, 16)) * random.uniform(0.5, 1.0)


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """Return how long the server asks us to wait, or None where it asks for nothing."""
    asked = response.headers.get("Retry-After")
    if asked is None or not (response.status == 429 or response.status >= 500):
        return None
    return float(asked) if asked.isdigit() else 1.0


def _now_s() -> float:
    """Return seconds that go on while the machine sleeps, as the server's do."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
