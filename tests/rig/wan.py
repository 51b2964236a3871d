"""A bad network between a client and the API server, in userspace: the kernel here has no netem.

A TCP proxy whose bytes arrive late, slowly, or not at all. What a real path does to packets is
done to chunks: a delay each way, a bandwidth shared by all connections, a hundredth of them
stalled for a retransmission's time. Opening a connection costs a round trip, as a handshake does.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.rig.choice import kubeconfig_as_json

CHUNK = 65536
BUFFERED = 64  # chunks on the way, per connection and direction: 4 MiB
RETRANSMISSION_S = 0.2


class Direction:
    """One way through the network; its settings may change while bytes are on the way."""

    def __init__(self, wan: Wan) -> None:
        """The delay and the bandwidth are the whole network's."""
        self._wan = wan
        self._free_at = 0.0
        self.open = asyncio.Event()
        self.open.set()

    def arrival(self, size: int) -> float:
        """When a chunk that is sent now arrives, in the loop's time."""
        now = asyncio.get_running_loop().time()
        wan = self._wan
        self._free_at = max(now, self._free_at)
        if wan.bytes_per_s:
            self._free_at += size / wan.bytes_per_s
        late = RETRANSMISSION_S if wan.random.random() < wan.stalled else 0.0
        return self._free_at + wan.delay_s + late


@dataclass
class Wan:
    """The controls. ``delay_s`` is one way; ``stalled`` is a fraction of chunks (0.01 = 1 %)."""

    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    stalled: float = 0.0
    seed: int = 0
    port: int = 0
    opened: int = 0
    random: random.Random = field(init=False)
    up: Direction = field(init=False)
    down: Direction = field(init=False)
    _refused: bool = field(default=False, init=False)
    _links: set[asyncio.StreamWriter] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Makes both directions."""
        self.random = random.Random(self.seed)
        self.up, self.down = Direction(self), Direction(self)

    def cut(self, *, refuse: bool = False) -> int:
        """Resets every connection (RST both ways); with ``refuse``, new ones too until mend()."""
        self._refused = refuse
        links, self._links = self._links, set()
        for writer in links:
            _reset(writer)
        return len(links)

    def black_hole(self) -> None:
        """Nothing arrives any more, in neither direction, and nobody is told."""
        self.up.open.clear()
        self.down.open.clear()

    def half_open(self) -> None:
        """The client still reaches the server; no answer comes back."""
        self.up.open.set()
        self.down.open.clear()

    def mend(self) -> None:
        """Ends a black hole, a half-open state and a refusal; what waited arrives."""
        self._refused = False
        self.up.open.set()
        self.down.open.set()

    @property
    def connections(self) -> int:
        """How many connections pass through now."""
        return len(self._links) // 2

    async def serve(
        self, host: str, port: int, client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        """Carries one client's connection until both directions ended."""
        reader, writer = client
        if self._refused:
            _reset(writer)
            return
        self.opened += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            _reset(writer)
            return
        pair = {writer, far_writer}
        self._links |= pair
        try:
            async with asyncio.TaskGroup() as tasks:
                # connect() has returned already: its round trip is paid with the first byte.
                first_s = 3 * self.delay_s
                tasks.create_task(_pump(reader, far_writer, self.up, first_s=first_s))
                tasks.create_task(_pump(far_reader, writer, self.down))
        except* OSError:
            for one in pair:
                _reset(one)
        finally:
            self._links -= pair
            for one in pair:
                one.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    direction: Direction,
    *,
    first_s: float = 0.0,
) -> None:
    """Carries one direction; a queue holds what is on the way, so delay costs no bandwidth."""
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(BUFFERED)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def read() -> None:
        earliest = asyncio.get_running_loop().time() + first_s
        while True:
            chunk = await reader.read(CHUNK)
            arrival = direction.arrival(len(chunk))
            # TCP keeps the order: nothing overtakes a stalled chunk.
            earliest = max(earliest, arrival)
            await on_the_way.put((earliest, chunk))
            if not chunk:
                return

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        tasks.create_task(_deliver(on_the_way, writer, direction))


async def _deliver(
    on_the_way: asyncio.Queue[tuple[float, bytes]],
    writer: asyncio.StreamWriter,
    direction: Direction,
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        arrival, chunk = await on_the_way.get()
        if arrival > loop.time():
            await asyncio.sleep(arrival - loop.time())
        await direction.open.wait()
        if not chunk:
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
            return
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def open_wan(
    host: str,
    port: int,
    *,
    delay_s: float = 0.0,
    bytes_per_s: float = 0.0,
    stalled: float = 0.0,
) -> AsyncIterator[Wan]:
    """A network between 127.0.0.1:``wan.port`` and ``host``:``port``; gone when the block ends."""
    wan = Wan(delay_s, bytes_per_s, stalled)
    server = await asyncio.start_server(_accept(wan, host, port), "127.0.0.1", 0)
    wan.port = server.sockets[0].getsockname()[1]
    try:
        yield wan
    finally:
        server.close()
        wan.cut(refuse=True)
        wan.mend()


def _accept(
    wan: Wan, host: str, port: int
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wan.serve(host, port, (reader, writer))

    return accept


def endpoint(kubeconfig: Path) -> tuple[str, int]:
    """The host and port of a kubeconfig's API server."""
    url = urlsplit(str(_cluster(json.loads(kubeconfig_as_json(kubeconfig)))["server"]))
    return url.hostname or "", url.port or 443


def kubeconfig_through(wan: Wan, kubeconfig: Path, *, to: Path) -> Path:
    """Writes a copy of a kubeconfig that goes through ``wan``; the certificate is still checked
    against the server's own name."""
    body = json.loads(kubeconfig_as_json(kubeconfig))
    cluster = _cluster(body)
    cluster.setdefault("tls-server-name", endpoint(kubeconfig)[0])
    cluster["server"] = f"https://127.0.0.1:{wan.port}"
    to.touch(mode=0o600)
    to.write_text(json.dumps(body, indent=2))
    return to


def _cluster(body: dict[str, list[dict[str, dict[str, str]]]]) -> dict[str, str]:
    named = {str(one["name"]): one["context"] for one in body["contexts"]}
    wanted = named[str(body["current-context"])]["cluster"]
    clusters = {str(one["name"]): one["cluster"] for one in body["clusters"]}
    return clusters[wanted]
