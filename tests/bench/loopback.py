"""The tunnel alone, on this machine: the real agent, a link over TCP, a forward; needs no cluster.

What a cluster adds (API server, kubelet, runtime, their buffers) is measured by ``datapath``; here
is what is ours. A plain TCP connection to the same peer is measured beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import secrets
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.place import PEER
from tpconfig import __version__
from tpconfig.model.desired import Forward
from tpconfig.tunnel import pipe
from tpconfig.tunnel.forwards import open_forward
from tpconfig.tunnel.link import open_link

AGENT = "import sys; from tpconfig.agent.main import main; sys.exit(main())"


def measure(runs: int) -> dict[str, Any]:
    """Return medians of requests beside bulk, through the tunnel and by plain TCP, in turn."""
    return uvloop.run(_measure(runs))


def idle(count: int) -> dict[str, Any]:
    """Return what so many idle connections through one link take, at each end."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return uvloop.run(_idle(count))


async def _measure(runs: int) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {"plain": [], "tp": []}
    async with _tunnel() as (port, local, _):
        for _ in range(runs):
            for name, to in (("plain", port), ("tp", local)):
                taken[name].append(await _asked(to))
    return {
        name: {key: round(statistics.median(one[key] for one in ones), 3) for key in ones[0]}
        for name, ones in taken.items()
    }


async def _idle(count: int) -> dict[str, Any]:
    async with _tunnel() as (_, local, agent):
        agent_kib, client_kib, began_s = _kib(agent), _kib(os.getpid()), time.monotonic()
        held = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", local)
            writer.write(b"p")
            await reader.readexactly(1)
            held.append(writer)
        figures = {
            "connections": count,
            "seconds": round(time.monotonic() - began_s, 1),
            "agent_kib_each": round((_kib(agent) - agent_kib) / count, 1),
            "client_and_asker_kib_each": round((_kib(os.getpid()) - client_kib) / count, 1),
        }
        for writer in held:
            writer.transport.abort()
    return figures


async def _asked(port: int) -> dict[str, float]:
    async with _program(str(PEER), "loaded", "127.0.0.1", str(port)) as program:
        out, _ = await program.communicate()
    found: dict[str, float] = json.loads(out)
    return found


@asynccontextmanager
async def _tunnel() -> AsyncIterator[tuple[int, int, int]]:
    """A peer's port, the port of a forward to it, and the agent's process id."""
    secret, port, local = secrets.token_bytes(32), _free_port(), _free_port()
    settings: dict[str, Any] = {"session": "bench", "version": __version__}
    settings |= {"link_port": _free_port(), "probe_port": _free_port()}
    settings |= {"termination_log": os.devnull}
    env = {"TPCONFIG_AGENT": json.dumps(settings), "TPCONFIG_SECRET": secret.hex()}
    connect = pipe.tcp("127.0.0.1", settings["link_port"])
    async with (
        _program(str(PEER), "serve", str(port)),
        _program("-c", AGENT, env=env) as agent,
        open_link(connect, secret=secret, session="bench") as link,
        open_forward(link, Forward(local, "127.0.0.1", port), on_refused=_ignored),
    ):
        yield port, local, agent.pid


def _ignored(where: object, why: object) -> None:
    """What is refused the asker reports, as an error."""


def _kib(pid: int) -> int:
    """Return a process's resident memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


@asynccontextmanager
async def _program(
    *arguments: str, env: dict[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={**os.environ, **(env or {})},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield program
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
