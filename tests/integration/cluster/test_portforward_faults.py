"""Port-forwards over real sockets, against aiohttp's WebSocket and against bare bytes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.fake_apiserver import FakeApiServer
from tpconfig.cluster import failures
from tpconfig.cluster.api import Api, open_api
from tpconfig.cluster.portforward import PortForward, open_port_forward
from tpconfig.errors import UnreachableError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Ear:
    """Hears everything that a pipe tells."""

    def __init__(self, pipe: PortForward) -> None:
        self.data = bytearray()
        self.told: list[str] = []
        self.lost: list[str] = []
        self._changed = asyncio.Event()
        pipe.start(self._received, self._lost, pause=self._pause, resume=self._resume)

    def _received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.data += data
        self._changed.set()

    def _lost(self, reason: str) -> None:
        self.lost.append(reason)
        self._changed.set()

    def _pause(self) -> None:
        self.told.append("pause")
        self._changed.set()

    def _resume(self) -> None:
        self.told.append("resume")
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def pod(fake: FakeApiServer, serve: Serve) -> AsyncIterator[None]:
    """A running Pod ``p`` whose port 7000 is served by ``serve``."""
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    fake.store.create("pod", "default", body)
    fake.store.update(
        "pod",
        "default",
        "p",
        lambda old: {**old, "status": {"phase": "Running"}},
        subresource="status",
    )
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake.forwarding.any_pod[7000] = server.sockets[0].getsockname()[:2]
    async with server:
        yield


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_writes_of_one_turn_arrive_in_order(fake: FakeApiServer, api: Api) -> None:
    """Many small writes, of every kind of buffer, come back as they were written."""
    async with pod(fake, echo):
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        sent = b""
        for number in range(1000):
            part = b"%d," % number
            pipe.write((part, bytearray(part), memoryview(part))[number % 3])
            sent += part
        await ear.until(lambda: len(ear.data) >= len(sent))
        pipe.close()
    assert bytes(ear.data) == sent


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 3_000_000])
async def test_any_size_passes(fake: FakeApiServer, api: Api, size: int) -> None:
    """One write of any size comes back whole."""
    sent = bytes(range(251)) * (size // 251 + 1)
    sent = sent[:size]
    async with pod(fake, echo):
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        pipe.write(sent)
        await ear.until(lambda: len(ear.data) >= size)
        pipe.close()
    assert bytes(ear.data) == sent


async def test_bytes_before_start_are_kept(fake: FakeApiServer, api: Api) -> None:
    """What the Pod says before anybody listens is not lost."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")

    async with pod(fake, greet):
        pipe = await open_port_forward(api, "default", "p", 7000)
        await asyncio.sleep(0.1)
        ear = Ear(pipe)
        await ear.until(lambda: ear.data)
        pipe.close()
    assert bytes(ear.data) == b"hello"


async def test_end_before_start_is_told(fake: FakeApiServer, api: Api) -> None:
    """A pipe that ended before anybody listened says so when somebody does."""

    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.close()

    async with pod(fake, leave):
        pipe = await open_port_forward(api, "default", "p", 7000)
        await asyncio.sleep(0.1)
        ear = Ear(pipe)
    assert (bytes(ear.data), len(ear.lost)) == (b"bye", 1)


async def test_slow_pod_pauses_the_writer(fake: FakeApiServer, api: Api) -> None:
    """Who writes more than goes through is told to pause, and later to go on."""
    go_on = asyncio.Event()
    got = 0

    async def read_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await go_on.wait()
        while data := await reader.read(65536):
            got += len(data)
        writer.close()

    async with pod(fake, read_late):
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        sent = 0
        while "pause" not in ear.told:
            pipe.write(b"x" * 100_000)
            sent += 100_000
            await asyncio.sleep(0)
        go_on.set()
        await ear.until(lambda: "resume" in ear.told)
        async with asyncio.timeout(20):
            while got < sent:
                await asyncio.sleep(0.01)
        pipe.close()
    assert ear.told == ["pause", "resume"]
    assert sent < 100_000_000


async def test_one_turn_cannot_outrun_the_pause(fake: FakeApiServer, api: Api) -> None:
    """A writer that never lets the loop run is told to pause all the same."""

    async def never_read(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)
        writer.close()

    async with pod(fake, never_read):
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        for _ in range(1000):
            pipe.write(b"x" * 10_000)
            if ear.told:
                break
        assert ear.told == ["pause"]
        pipe.close()
        fake.forwarding.cut()


async def test_pod_that_closes_ends_the_pipe(fake: FakeApiServer, api: Api) -> None:
    """The Pod closes its connection: the pipe is lost, once, after its last byte."""

    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(b"bye")
        writer.close()

    async with pod(fake, leave):
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        await ear.until(lambda: ear.lost)
        pipe.write(b"into the void")
        pipe.close()
    assert bytes(ear.data) == b"bye"
    assert ear.lost == ["the Pod closed the connection"]


async def test_broken_connection_is_told_once(fake: FakeApiServer, api: Api) -> None:
    """A connection that breaks without a word loses the pipe, with a reason."""
    async with pod(fake, echo):
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        pipe.write(b"x")
        await ear.until(lambda: ear.data)
        fake.forwarding.cut()
        await ear.until(lambda: ear.lost)
        await asyncio.sleep(0.05)
    assert len(ear.lost) == 1
    assert ear.lost[0]


async def test_closing_sends_the_rest_and_tells_nobody(fake: FakeApiServer, api: Api) -> None:
    """close() sends what was written in the same turn; lost is for losses."""
    got = bytearray()
    ended = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            got.extend(data)
        ended.set()
        writer.close()

    async with pod(fake, take):
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        pipe.write(b"first ")
        pipe.write(b"second")
        pipe.close()
        pipe.close()
        async with asyncio.timeout(20):
            await ended.wait()
    assert bytes(got) == b"first second"
    assert ear.lost == []


async def test_closing_the_api_loses_its_pipes(fake: FakeApiServer, tmp_path: Path) -> None:
    """A pipe does not outlive the session that it was opened on, and does not hold it up."""
    async with pod(fake, echo):
        async with (
            asyncio.timeout(20),
            open_api(context=None, kubeconfig=fake.write_kubeconfig(tmp_path)) as api,
        ):
            ear = Ear(await open_port_forward(api, "default", "p", 7000))
        await ear.until(lambda: ear.lost)


async def test_pod_that_does_not_run_is_refused(fake: FakeApiServer, api: Api) -> None:
    """A Pod that is still pending is an ApiError with the kubelet's words."""
    fake.store.create(
        "pod",
        "default",
        {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
    )
    with pytest.raises(failures.ApiError) as caught:
        await open_port_forward(api, "default", "p", 7000)
    assert "Current status=Pending" in caught.value.message


def accept(key: bytes) -> bytes:
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest)


@asynccontextmanager
async def raw_server(after: bytes, folder: Path, *, key: bytes | None = None) -> AsyncIterator[Api]:
    """An API server that accepts the WebSocket and sends ``after`` in the same packet."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        answer = key or accept(lines[b"Sec-WebSocket-Key"])
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: "
            + answer
            + b"\r\n\r\n"
            + after
        )
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    file = folder / "config"
    file.write_text(
        f"""
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "http://{host}:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
"""
    )
    async with server, open_api(context=None, kubeconfig=str(file)) as api:
        yield api


PORTS = b"\x82\x03\x00\x58\x1b\x82\x03\x01\x58\x1b"


@pytest.mark.parametrize(
    ("after", "data", "lost"),
    [
        (PORTS + b"\x82\x06\x00hello", b"hello", []),
        (PORTS + b"\x02\x02\x00h\x00\x02el\x80\x02lo", b"hello", []),
        (b"\x82\x02\x00\x58\x82\x02\x00\x1b\x82\x03\x01\x58\x1b\x82\x02\x00x", b"x", []),
        (b"\x82\x05\x00\x58\x1bab\x82\x03\x01\x58\x1b\x82\x02\x00c", b"abc", []),
        (PORTS + b"\x82\x05\x01oops", b"", ["oops"]),
        (PORTS + b"\x82\x04\x00abc\x88\x05\x03\xe8bye", b"abc", ["bye"]),
        (PORTS + b"\xff\x00", b"", ["the server sent a frame with reserved bits or a mask"]),
    ],
)
async def test_bytes_behind_the_headers(
    tmp_path: Path, after: bytes, data: bytes, lost: list[str]
) -> None:
    """What comes in the same packet as the answer's headers is part of the stream."""
    async with raw_server(after, tmp_path) as api:
        pipe = await open_port_forward(api, "default", "p", 7000)
        ear = Ear(pipe)
        await ear.until(lambda: len(ear.data) >= len(data) and len(ear.lost) >= len(lost))
        pipe.close()
    assert (bytes(ear.data), ear.lost) == (data, lost)


async def test_reader_that_closes_on_the_last_bytes_hears_of_no_loss(tmp_path: Path) -> None:
    """Bytes and end come in one packet: closing in between is closing, not losing."""
    lost: list[str] = []
    closed = asyncio.Event()
    async with raw_server(PORTS + b"\x82\x04\x00abc\x88\x05\x03\xe8bye", tmp_path) as api:
        pipe = await open_port_forward(api, "default", "p", 7000)

        def close(data: bytes) -> None:
            assert data == b"abc"
            pipe.close()
            closed.set()

        pipe.start(close, lost.append, pause=lambda: None, resume=lambda: None)
        async with asyncio.timeout(20):
            await closed.wait()
        await asyncio.sleep(0)
    assert lost == []


async def test_answer_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    """Something in between that switches protocols by itself is found out."""
    async with raw_server(b"", tmp_path, key=b"nonsense") as api:
        with pytest.raises(UnreachableError) as caught:
            await open_port_forward(api, "default", "p", 7000)
    assert "does not forward ports" in caught.value.message
