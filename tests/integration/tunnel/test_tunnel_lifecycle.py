"""How the real agent starts and ends."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from real_agent import ROOT, Agent, StartAgent, echo, free_port, tcp_server
from real_process import Served, open_inbound, processes

from tpconfig.model.target import PodPort


async def test_without_a_link_sigterm_ends_it_at_once(start_agent: StartAgent) -> None:
    """Nobody can be served, so there is nothing to wait for."""
    agent = await start_agent(drain_s=60.0)
    agent.process.terminate()
    async with asyncio.timeout(10):
        assert await agent.process.wait() == 0


async def test_existing_connections_are_finished(start_agent: StartAgent) -> None:
    """After SIGTERM the agent serves what is open until its last connection has ended."""
    agent = await start_agent(drain_s=0.2)
    async with tcp_server(echo) as port, agent.link() as link, processes(link) as inside:
        reader, writer = await inside.open(("127.0.0.1", port))
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        agent.process.terminate()
        await asyncio.sleep(0.8)
        writer.write(b"after")
        assert await reader.readexactly(5) == b"after"
        writer.close()
        await reader.read(-1)
        async with asyncio.timeout(10):
            assert await agent.process.wait() == 0


async def test_late_callers_are_still_served(start_agent: StartAgent) -> None:
    """Between SIGTERM and the end of the drain, new connections are accepted."""
    agent = await start_agent(drain_s=1.5)
    pod_port = free_port()
    async with (
        tcp_server(echo) as here,
        open_inbound(Served({PodPort(pod_port): here}).dial) as inbound,
        agent.link(serve=inbound.serve) as link,
    ):
        await link.listen(pod_port)
        agent.process.terminate()
        await agent.event("stopping")
        reader, writer = await asyncio.open_connection("127.0.0.1", pod_port)
        writer.write(b"late")
        assert await reader.readexactly(4) == b"late"
        writer.close()
        async with asyncio.timeout(10):
            assert await agent.process.wait() == 0


async def test_an_idle_link_does_not_hold_it(start_agent: StartAgent) -> None:
    """With a link and nothing on it, the agent ends when the drain is over."""
    agent = await start_agent(drain_s=0.2)
    async with agent.link():
        agent.process.terminate()
        async with asyncio.timeout(10):
            assert await agent.process.wait() == 0


async def test_a_second_sigterm_means_now(start_agent: StartAgent) -> None:
    """Who asks twice does not wait."""
    agent = await start_agent(drain_s=60.0)
    async with agent.link():
        agent.process.terminate()
        await agent.event("stopping")
        agent.process.terminate()
        async with asyncio.timeout(10):
            assert await agent.process.wait() == 0


@pytest.mark.parametrize("which", ["link_port", "probe_port"])
async def test_a_port_that_is_taken(start_agent: StartAgent, tmp_path: Path, which: str) -> None:
    """An agent that cannot have its ports says which one, where the kubelet looks for it."""
    (tmp_path / "termination-log").touch()
    with socket.create_server(("127.0.0.1", 0)) as sidecar:
        taken = sidecar.getsockname()[1]
        agent = await start_agent(wait=False, **{which: taken})
        assert await agent.process.wait() == 1
    words = (tmp_path / "termination-log").read_text()
    assert f"port {taken} is in use by another container" in words


async def test_the_log_has_no_secret(agent: Agent) -> None:
    """What the agent writes is JSON lines about events, never the secret."""
    async with agent.link() as link:
        await link.ready(True)
    await agent.event("link-lost")
    assert [line["event"] for line in agent.lines] == ["started", "link-up", "ready", "link-lost"]
    assert agent.secret.hex() not in json.dumps(agent.lines)


def test_it_travels_alone(tmp_path: Path) -> None:
    """Agent, mux and names are all it needs, and it starts from a read-only archive."""
    archive = tmp_path / "agent.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in _travelling():
            packed.write(file, file.relative_to(ROOT))
    log = tmp_path / "termination-log"
    settings = {"session": "a", "version": "1", "link_port": free_port(), "probe_port": 99999}
    settings["termination_log"] = str(log)
    program = "import sys; sys.path.insert(0, sys.argv[1]); "
    program += "from tpconfig.agent.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(archive)],
        env={"TPCONFIG_AGENT": json.dumps(settings), "TPCONFIG_SECRET": "ab" * 32},
        capture_output=True,
        cwd="/",
        check=False,
        timeout=60,
    )
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["event"], done.stderr) == (1, "failed", b"")
    assert "probe_port cannot be 99999" in last["message"]


def _travelling() -> list[Path]:
    package = ROOT / "tpconfig"
    folders = [package / "agent", package / "mux"]
    files = [file for folder in folders for file in folder.glob("*.py")]
    return [package / "__init__.py", package / "names.py", *files]
