"""Makes ``tests.fakes`` importable, whether pytest was started as a module or as a command."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = str(Path(__file__).resolve().parents[3])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from tests.fakes.fake_apiserver import FakeApiServer, fake_api_server  # noqa: E402
from tests.rig import sshd as servers  # noqa: E402
from tests.rig.sshd import Sshd, make_key  # noqa: E402
from tpconfig.cluster.api import Api, open_api  # noqa: E402
from tpconfig.model.desired import Bastion  # noqa: E402


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    """A fake API server in which nothing happens by itself but garbage collection."""
    async with fake_api_server(simulate=False) as server:
        yield server


@pytest.fixture
async def api(fake: FakeApiServer, tmp_path: Path) -> AsyncIterator[Api]:
    """The way to it, as its administrator."""
    async with open_api(context=None, kubeconfig=fake.write_kubeconfig(tmp_path)) as opened:
        yield opened


@pytest.fixture
def own_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent of whoever runs the tests."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    if servers.program() is None:
        if os.environ.get("CI"):
            pytest.fail("continuous integration needs sshd (Debian: openssh-server)")
        pytest.skip("no sshd here (Debian: openssh-server)")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the server's user gets into, too."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tp-ssh-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def open_sshd(own_ssh: None, home: Path) -> Iterator[Callable[..., Sshd]]:
    """Starts servers."""
    with ExitStack() as opened:
        yield lambda name, *settings: opened.enter_context(Sshd(home / name, *settings))


@pytest.fixture
def key(home: Path) -> Path:
    """The user's private key."""
    return make_key(home / "id")


@pytest.fixture
def sshd(open_sshd: Callable[..., Sshd], key: Path) -> Sshd:
    """A server that lets the user's key in."""
    found = open_sshd("sshd")
    found.authorize(key)
    return found


@pytest.fixture
def known_hosts(home: Path) -> Path:
    """A known_hosts that knows nobody yet."""
    path = home / "known_hosts"
    path.write_text("")
    return path


@pytest.fixture
def bastion(own_ssh: None, home: Path, sshd: Sshd, key: Path, known_hosts: Path) -> Bastion:
    """The server as the file names it; known_hosts knows it."""
    known_hosts.write_text(sshd.known)
    config = home / "config"
    config.write_text(
        f"UserKnownHostsFile {known_hosts}\nGlobalKnownHostsFile none\n"
        f"Host jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
    )
    return Bastion("jump", identity=str(key), config=str(config))
