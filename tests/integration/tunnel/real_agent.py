"""The real agent as a process of this machine, and a link to it over TCP."""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpconfig import __version__
from tpconfig.tunnel import pipe
from tpconfig.tunnel.link import Link, Timing, open_link

ROOT = Path(__file__).parents[3]
BOOTSTRAP = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    "from tpconfig.agent.main import main; sys.exit(main())"
)
FAST = Timing(first_s=10, attempt_s=5, request_s=5, heartbeat_s=0.3, backoff_max_s=0.2)


def free_port() -> int:
    """Return a port that nobody uses, below those that the kernel gives to clients."""
    while True:
        port = random.randrange(15_000, 30_000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as sock:
                    sock.bind(("0.0.0.0", port))
        except OSError:
            continue
        return port


@dataclass
class Agent:
    """A running agent."""

    process: asyncio.subprocess.Process
    secret: bytes
    session: str
    link_port: int
    probe_port: int
    lines: list[dict[str, Any]] = field(default_factory=list)
    errors: bytearray = field(default_factory=bytearray)

    @property
    def connect(self) -> pipe.Connect:
        """What gives a pipe to it."""
        return pipe.tcp("127.0.0.1", self.link_port)

    async def event(self, name: str, *, count: int = 1) -> dict[str, Any]:
        """Wait until the agent has logged an event so many times; return the last one."""
        async with asyncio.timeout(10):
            while True:
                found = [line for line in self.lines if line["event"] == name]
                if len(found) >= count:
                    return found[count - 1]
                await asyncio.sleep(0.01)

    def link(self, **changes: Any) -> Any:
        """Open a link to it."""
        given: dict[str, Any] = {"secret": self.secret, "session": self.session, "timing": FAST}
        given |= changes
        return open_link(given.pop("connect", self.connect), **given)

    async def probe(self, path: str = "/ready") -> int:
        """Return the status of one probe."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.probe_port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n".encode())
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()

    async def stop(self) -> int:
        """Send SIGTERM twice, which means at once, and return the exit code."""
        for _ in range(2):
            if self.process.returncode is None:
                self.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.02)
        return await self.process.wait()


StartAgent = Callable[..., Awaitable[Agent]]


@asynccontextmanager
async def tcp_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    host: str = "127.0.0.1",
) -> AsyncIterator[int]:
    """Serve TCP on a free port."""
    server = await asyncio.start_server(serve, host, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back whatever comes, until the end."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def wait_lost(link: Link) -> None:
    """Wait until the link has noticed that it is lost."""
    await eventually(lambda: link.state == "lost")


async def spawn(tmp_path: Path, loop: str, env: dict[str, str], settings: dict[str, Any]) -> Agent:
    secret: bytes = settings.pop("secret", None) or secrets.token_bytes(32)
    given = {
        "session": "abc123",
        "version": __version__,
        "link_port": free_port(),
        "probe_port": free_port(),
        "termination_log": str(tmp_path / "termination-log"),
        "drain_s": 0.3,
        **settings,
    }
    flags = ["-I"] if loop == "uvloop" else ["-I", "-S"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *flags,
        "-c",
        BOOTSTRAP,
        env={
            "PATH": os.environ["PATH"],
            "TPCONFIG_AGENT": json.dumps(given),
            "TPCONFIG_SECRET": secret.hex(),
            **env,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Agent(
        process,
        secret=secret,
        session=given["session"],
        link_port=given["link_port"],
        probe_port=given["probe_port"],
    )


async def read_log(agent: Agent) -> None:
    assert agent.process.stdout is not None
    async for line in agent.process.stdout:
        agent.lines.append(json.loads(line))


async def read_errors(agent: Agent) -> None:
    assert agent.process.stderr is not None
    async for line in agent.process.stderr:
        agent.errors.extend(line)
