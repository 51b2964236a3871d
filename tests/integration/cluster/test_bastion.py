"""The way through an SSH jump host, against a real OpenSSH server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.fake_apiserver import FakeApiServer
from tests.rig import sshd as servers
from tests.rig.sshd import Sshd, make_key, public
from tpconfig.cluster.api import Api, open_api
from tpconfig.cluster.bastion import forwarder as forwarding
from tpconfig.cluster.bastion import passphrase, route
from tpconfig.cluster.bastion.forwarder import Forwarder
from tpconfig.cluster.bastion.keys import Keyring
from tpconfig.cluster.bastion.refusal import BastionError
from tpconfig.cluster.paths import path_of
from tpconfig.cluster.transport import Patience
from tpconfig.errors import UnreachableError, UsageError
from tpconfig.model.desired import Bastion

MAPS = path_of("configmap", "default")
LATE_S = 60


pytestmark = pytest.mark.usefixtures("own_ssh")


@pytest.fixture
def through(fake: FakeApiServer, tmp_path: Path) -> Callable[[Bastion], object]:
    """Opens the way to the fake API server through a bastion."""
    kubeconfig = fake.write_kubeconfig(tmp_path)

    @asynccontextmanager
    async def opened(bastion: Bastion, *, patience: Patience | None = None) -> AsyncIterator[Api]:
        async with open_api(
            context=None, kubeconfig=kubeconfig, bastion=bastion, patience=patience
        ) as api:
            yield api

    return opened


async def refusal(through: Callable[..., object], bastion: Bastion) -> BastionError:
    """Return why a bastion does not let us through."""
    with pytest.raises(BastionError) as caught:
        async with through(bastion):  # type: ignore[attr-defined]
            pass
    return caught.value


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(LATE_S):
        while not condition():
            await asyncio.sleep(0.02)


def test_nobody_pays_who_needs_no_bastion() -> None:
    """Opening the way to a cluster imports nothing of SSH."""
    code = (
        "import sys, tpconfig.session.up, tpconfig.cluster.kubeconfig\n"
        "print({'paramiko', 'sshtunnel', 'cryptography'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


async def test_requests_go_through(through, bastion: Bastion, sshd: Sshd) -> None:
    """The kubeconfig's server is asked by the bastion, with what ssh_config says of it."""
    async with through(bastion) as api:
        assert await api.list(MAPS) == []
        assert len(sshd.connections()) > 0
    await eventually(lambda: not sshd.connections())


async def test_a_proxy_of_the_context_is_not_mixed_in(
    fake: FakeApiServer, tmp_path: Path, bastion: Bastion
) -> None:
    """proxy-url and bastion exclude each other."""
    path = Path(fake.write_kubeconfig(tmp_path))
    path.write_text(path.read_text().replace('"server":', '"proxy-url": "http://p:1", "server":'))
    with pytest.raises(UsageError, match="proxy-url"):
        async with open_api(context=None, kubeconfig=str(path), bastion=bastion):
            pass


async def test_an_unknown_host_key_is_refused(
    through, bastion: Bastion, known_hosts: Path, sshd: Sshd
) -> None:
    """Nobody is logged in to whom known_hosts does not name; the key to compare is shown."""
    known_hosts.write_text("")
    error = await refusal(through, bastion)
    assert "is not known" in error.message
    assert f'host_key: "{" ".join(public(sshd.host_key).split()[:2])}"' in error.details
    assert "Accepted" not in sshd.log


async def test_a_wrong_host_key_is_refused(
    through, bastion: Bastion, known_hosts: Path, sshd: Sshd, home: Path
) -> None:
    """Another key than the known one is refused, also with accept-new, with its line."""
    other = public(make_key(home / "other"))
    known_hosts.write_text(f"# mine\n[127.0.0.1]:{sshd.port} {other}\n")
    error = await refusal(through, replace(bastion, host_key="accept-new"))
    assert "is not the one that is known" in error.message
    assert f"({known_hosts}:2)" in error.details[1]
    assert "Accepted" not in sshd.log


async def test_a_revoked_host_key_is_refused(
    through, bastion: Bastion, known_hosts: Path, sshd: Sshd
) -> None:
    """A line with @revoked outweighs one that knows the key."""
    known_hosts.write_text(f"{sshd.known}@revoked * {public(sshd.host_key)}\n")
    assert "was revoked" in (await refusal(through, bastion)).message


async def test_a_new_host_key_is_taken_when_asked(
    through, bastion: Bastion, known_hosts: Path
) -> None:
    """accept-new writes the first key down, so ssh and the next session know it."""
    known_hosts.write_text("# no newline at the end")
    async with through(replace(bastion, host_key="accept-new")):
        pass
    assert len(known_hosts.read_text().splitlines()) == 2
    async with through(bastion) as api:
        assert await api.list(MAPS) == []


async def test_a_pinned_host_key_is_the_only_right_one(
    through, bastion: Bastion, known_hosts: Path, sshd: Sshd, home: Path
) -> None:
    """The key in the file counts, whatever known_hosts says."""
    known_hosts.write_text("")
    async with through(replace(bastion, host_key=public(sshd.host_key))) as api:
        assert await api.list(MAPS) == []
    known_hosts.write_text(sshd.known)
    error = await refusal(through, replace(bastion, host_key=public(make_key(home / "other"))))
    assert "correct cluster.bastion.host_key" in (error.hint or "")


async def test_a_host_with_several_keys_shows_the_known_one(
    through, bastion: Bastion, known_hosts: Path, open_sshd: Callable[..., Sshd], home: Path, key
) -> None:
    """Where known_hosts has only an RSA key, the server is asked for that one."""
    rsa = make_key(home / "rsa", kind="rsa")
    os.chown(rsa, servers.NOBODY, -1) if os.geteuid() == 0 else None
    both = open_sshd("both", f"HostKey {rsa}")
    both.authorize(key)
    known_hosts.write_text(f"[127.0.0.1]:{both.port} {public(rsa)}\n")
    async with through(replace(bastion, port=both.port)) as api:
        assert await api.list(MAPS) == []


async def test_a_wrong_key_is_refused(through, bastion: Bastion, home: Path) -> None:
    """A key that the server does not know is named."""
    other = make_key(home / "other")
    error = await refusal(through, replace(bastion, identity=str(other)))
    assert "does not let us log in" in error.message
    assert f"tried {other}" in error.details


async def test_a_key_that_is_not_there_is_named(through, bastion: Bastion) -> None:
    """cluster.bastion.identity must exist."""
    error = await refusal(through, replace(bastion, identity="/nowhere/id"))
    assert "/nowhere/id does not exist" in error.message


async def test_nobody_listens(through, bastion: Bastion, sshd: Sshd) -> None:
    """A bastion that is not there is said to be so."""
    sshd.stop()
    error = await refusal(through, bastion)
    assert "cannot reach the bastion" in error.message
    assert "connection refused" in error.details


async def test_forwarding_is_not_allowed(
    through, bastion: Bastion, known_hosts: Path, open_sshd: Callable[..., Sshd], key: Path
) -> None:
    """A bastion that forwards nothing is found at the start, not by a request."""
    closed = open_sshd("closed", "AllowTcpForwarding no")
    closed.authorize(key)
    known_hosts.write_text(closed.known)
    error = await refusal(through, replace(bastion, port=closed.port))
    assert "does not lead to 127.0.0.1:" in error.message


async def test_a_dropped_connection_is_made_anew(through, bastion: Bastion, sshd: Sshd) -> None:
    """After the bastion has dropped us in mid-session, the next request logs in again."""
    async with through(bastion) as api:
        await api.list(MAPS)
        sshd.drop()
        await eventually(lambda: not sshd.connections())
        assert await api.list(MAPS) == []
        assert sshd.log.count("Accepted publickey") == 2


async def test_a_bastion_that_is_away_is_named_and_comes_back(
    through, bastion: Bastion, sshd: Sshd
) -> None:
    """While it is away a request says so; once it is back the same session goes on."""
    patience = Patience(again_s=0.2)
    async with through(bastion, patience=patience) as api:
        await api.list(MAPS)
        sshd.stop()
        with pytest.raises(UnreachableError) as caught:
            await api.list(MAPS)
        assert "cannot reach the bastion" in caught.value.details[0]
        sshd.start()
        assert await api.list(MAPS) == []


async def test_a_silent_bastion_is_noticed(
    through, bastion: Bastion, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bastion that neither answers nor ends is given up, and the next request goes anew."""
    monkeypatch.setattr(forwarding, "BEAT_S", 0.05)
    monkeypatch.setattr(forwarding, "BEAT_ANSWER_S", 2.0)
    async with through(bastion, patience=Patience(again_s=LATE_S)) as api:
        await api.list(MAPS)
        silent = sshd.connections()
        sshd.silence()
        try:
            assert await api.list(MAPS) == []
        finally:
            for pid in silent:
                os.kill(pid, signal.SIGKILL)


async def test_two_jumps(
    through, bastion: Bastion, open_sshd: Callable[..., Sshd], known_hosts: Path, home: Path
) -> None:
    """ProxyJump leads over a first host, with a key and a name of its own."""
    first_key = make_key(home / "first_id")
    first = open_sshd("first")
    first.authorize(first_key)
    known_hosts.write_text(known_hosts.read_text() + f"outer {public(first.host_key)}\n")
    config = Path(str(bastion.config))
    config.write_text(
        f"Host jump\n  ProxyJump outer\nHost outer\n  HostName 127.0.0.1\n  Port {first.port}\n"
        f"  User {first.user}\n  HostKeyAlias outer\n  IdentityFile {first_key}\n"
        f"Host *\n{config.read_text()}"
    )
    async with through(bastion) as api:
        assert await api.list(MAPS) == []
        assert "Accepted publickey" in first.log
        first.drop()
        await eventually(lambda: not first.connections())
        assert await api.list(MAPS) == []
    known_hosts.write_text("\n".join(known_hosts.read_text().splitlines()[:1]) + "\n")
    assert f"@127.0.0.1:{first.port} is not known" in (await refusal(through, bastion)).message


async def test_a_proxy_command(through, bastion: Bastion, sshd: Sshd, home: Path) -> None:
    """ProxyCommand gives the connection, and has ended when the session has."""
    pipe = home / "pipe.py"
    pipe.write_text(
        "import os, socket, sys, threading\n"
        "sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): sock.sendall(data)\n"
        "    os._exit(0)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := sock.recv(65536): os.write(1, data)\n"
    )
    config = Path(str(bastion.config))
    config.write_text(
        f"Host jump\n  ProxyCommand {sys.executable} {pipe} %h %p\nHost *\n{config.read_text()}"
    )
    async with through(bastion) as api:
        assert await api.list(MAPS) == []
    await eventually(lambda: not sshd.connections())


async def test_a_locked_key_is_asked_for_once(
    through, bastion: Bastion, sshd: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The passphrase is asked for, again where it was wrong, and never for a new connection."""
    locked = make_key(home / "locked", passphrase="correct horse")
    sshd.authorize(locked)
    answers = ["wrong", "correct horse"]
    monkeypatch.setattr(passphrase, "_terminal", lambda: True)
    monkeypatch.setattr(passphrase.getpass, "getpass", lambda prompt: answers.pop(0))
    async with through(replace(bastion, identity=str(locked))) as api:
        assert answers == []
        sshd.drop()
        await eventually(lambda: not sshd.connections())
        assert await api.list(MAPS) == []


async def test_a_locked_key_without_a_terminal(
    through, bastion: Bastion, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can be asked the cure is named; SSH_ASKPASS is asked first."""
    locked = make_key(home / "locked", passphrase="correct horse")
    monkeypatch.setattr(passphrase, "_terminal", lambda: False)
    monkeypatch.delenv("SSH_ASKPASS", raising=False)
    error = await refusal(through, replace(bastion, identity=str(locked)))
    assert f"ssh-add {locked}" in (error.hint or "")
    ask = home / "ask"
    ask.write_text("#!/bin/sh\necho correct horse\n")
    ask.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(ask))
    error = await refusal(through, replace(bastion, identity=str(locked)))
    assert f"tried {locked}" in error.details


async def test_the_agents_key_needs_no_passphrase(
    through, bastion: Bastion, sshd: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an agent holds is used before anything is asked."""
    held = make_key(home / "held")
    sshd.authorize(held)
    where = str(home / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", where], stdout=subprocess.DEVNULL)
    try:
        await eventually(Path(where).exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", where)
        subprocess.run(["ssh-add", "-q", str(held)], check=True)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(held)], check=True)
        async with through(replace(bastion, identity=str(held))) as api:
            assert await api.list(MAPS) == []
        config = Path(str(bastion.config))
        config.write_text(f"IdentityAgent none\n{config.read_text()}")
        monkeypatch.setattr(passphrase, "_terminal", lambda: False)
        assert "is locked" in (await refusal(through, replace(bastion, identity=str(held)))).message
    finally:
        agent.kill()
        agent.wait()


async def test_many_at_once(through, bastion: Bastion) -> None:
    """A hundred connections at the same moment all come about."""
    async with through(bastion) as api, asyncio.TaskGroup() as group:
        tasks = [group.create_task(api.list(MAPS)) for _ in range(100)]
    assert all(task.result() == [] for task in tasks)


def test_half_of_a_connection_stays_open(bastion: Bastion) -> None:
    """Who has sent everything still gets the whole answer, without Nagle's delay on the way."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        carried = Forwarder(route.find(bastion), Keyring(), server.getsockname())
        carried.start()
        try:
            with socket.create_connection(carried.local_bind_address) as near:
                far, _ = server.accept()
                with far:
                    near.sendall(b"question")
                    near.shutdown(socket.SHUT_WR)
                    assert far.makefile("rb").read() == b"question"
                    answer = bytes(range(256)) * 4096
                    far.sendall(answer)
                    far.shutdown(socket.SHUT_WR)
                    assert near.makefile("rb").read() == answer
            sock = carried._transport.sock
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            carried.stop()
