"""Copies of the Pod's volumes, kept fresh for as long as there is a link.

The stream ends with the link that carried it; the next one sends everything again, and whoever
takes it knows what is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

from tpconfig.errors import TpError
from tpconfig.mux import filerecords, serving
from tpconfig.mux.filerecords import Header
from tpconfig.mux.opening import Files, Refusal
from tpconfig.tunnel.link import Link

QUIET_S: Final = 30.0
"""Seconds without a byte of the first copies after which they are given up."""

_AGAIN_S: Final = 0.5
_AFTER_FAILURE_S: Final = 5.0


class Taker(Protocol):
    """Takes the records of `filerecords`, each header before its bytes."""

    def header(self, header: Header) -> None:
        """Take a header.

        Raises:
            OSError, ValueError: it cannot be taken.
        """
        ...

    def data(self, piece: bytes) -> None:
        """Take bytes that the last header has announced.

        Raises:
            OSError: they cannot be written.
        """
        ...


class _CopyReader(asyncio.Protocol):
    """The client's end of one stream of files."""

    def __init__(self, taker: Taker, complete: asyncio.Event) -> None:
        self.over = False
        self.problem: str | None = None
        self.news = asyncio.Event()
        self._taker = taker
        self._complete = complete
        self._reader = filerecords.Reader()
        self._stream: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport

    def data_received(self, data: bytes) -> None:
        """Hand on what is complete."""
        self.news.set()
        try:
            for record in self._reader.feed(data):
                if isinstance(record, bytes):
                    self._taker.data(record)
                elif "round" in record:
                    self._complete.set()
                else:
                    self._taker.header(record)
        except (OSError, ValueError, KeyError, TypeError, filerecords.RecordError) as error:
            self.problem = str(error) or repr(error)
            if self._stream is not None:
                self._stream.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self._stream = None
        self.over = True
        self.news.set()

    def refuse(self, refusal: Refusal) -> None:
        """Note why the agent will not."""
        self.problem = refusal.text


class Copies:
    """Volumes of one Pod that are being copied; see `open_copies`."""

    def __init__(
        self, link: Link, wish: Header, taker: Taker, on_problem: Callable[[str], None]
    ) -> None:
        self._link = link
        self._wish = wish
        self._taker = taker
        self._on_problem = on_problem
        self._complete = asyncio.Event()
        self._reader: _CopyReader | None = None

    async def first(self) -> None:
        """Wait until everything is there once.

        Raises:
            TpError: the agent will not, nothing comes, or it cannot be written.
        """
        try:
            while not self._complete.is_set():
                reader = await self._open()
                while not (reader.over or self._complete.is_set()):
                    async with asyncio.timeout(QUIET_S):
                        await reader.news.wait()
                    reader.news.clear()
                if reader.problem is not None:
                    raise TpError(f"the Pod's files cannot be copied: {reader.problem}")
        except TimeoutError:
            raise TpError(
                f"the Pod's files did not come: nothing heard for {QUIET_S:.0f} s",
                hint="volumes: none goes without them",
            ) from None

    async def follow(self) -> None:
        """Take what changes, on the next link where this one is lost; never returns."""
        while True:
            reader = self._reader
            while reader is not None and not reader.over:
                await reader.news.wait()
                reader.news.clear()
            if reader is not None and reader.problem is not None:
                self._on_problem(f"the Pod's files are not followed: {reader.problem}")
                await asyncio.sleep(_AFTER_FAILURE_S)
            await asyncio.sleep(_AGAIN_S)
            with suppress(TimeoutError):
                self._reader = await self._open()

    async def _open(self) -> _CopyReader:
        while True:
            await self._link.wait_up(timeout_s=QUIET_S)
            reader = self._reader = _CopyReader(self._taker, self._complete)
            answers = serving.AnswerReader(reader, reader.refuse)
            with suppress(ConnectionResetError):
                stream = self._link.open(answers, Files())
                stream.write(filerecords.pack(self._wish))
                return reader


@asynccontextmanager
async def open_copies(
    link: Link,
    volumes: Sequence[str],
    taker: Taker,
    *,
    limit: int,
    on_problem: Callable[[str], None] = lambda text: None,
) -> AsyncIterator[None]:
    """Copy volumes, and go on with what changes; all is there once when this yields.

    Args:
        link: where the Pod is.
        volumes: paths of its mounts.
        taker: writes what comes.
        limit: bytes of one volume past which it is not copied.
        on_problem: is told why what changes does not arrive any more.

    Raises:
        TpError: the agent will not, nothing comes, or it cannot be written.
    """
    copies = Copies(link, {"volumes": [*volumes], "limit": limit}, taker, on_problem)
    await copies.first()
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(copies.follow())
        try:
            yield
        finally:
            following.cancel()
