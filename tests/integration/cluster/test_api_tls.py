"""TLS, client certificates, server names and proxies, for requests and for port-forwards."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.fake_apiserver import FakeApiServer
from tpconfig.cluster.api import open_api
from tpconfig.cluster.paths import path_of
from tpconfig.cluster.portforward import open_port_forward
from tpconfig.errors import UnreachableError, UsageError
from tpconfig.model.desired import Bastion

MAPS = path_of("configmap", "default")


class Certificates:
    """One authority; a certificate of the server, for ``api.example`` only, and of a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl("req", "-x509", "-nodes", *KEY, "-subj", "/CN=ca", *out(folder, "ca"))
        for name in ("server", "client"):
            self._openssl("req", "-nodes", *KEY, "-subj", f"/CN={name}", *out(folder, name))
            os.rename(folder / f"{name}.crt", folder / f"{name}.csr")
            (folder / "ext").write_text("subjectAltName=DNS:api.example\n")
            self._openssl(
                *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
                *("-CAcreateserial", "-extfile", "ext", "-out", f"{name}.crt"),
            )

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def data(self, name: str) -> str:
        return base64.b64encode((self.folder / name).read_bytes()).decode()


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def out(folder: Path, name: str) -> tuple[str, ...]:
    return ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made once."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def url(fake: FakeApiServer, certificates: Certificates) -> AsyncIterator[str]:
    """The fake behind TLS, for clients with a certificate only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.folder / "server.crt", certificates.folder / "server.key")
    context.load_verify_locations(certificates.folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    host, port = runner.addresses[0][:2]
    yield f"https://{host}:{port}"
    await runner.cleanup()


def config(folder: Path, url: str, certificates: Certificates, **cluster: Any) -> str:
    """Write a kubeconfig with everything inline."""
    authority = {"certificate-authority-data": certificates.data("ca.crt")}
    user = {
        "client-certificate-data": certificates.data("client.crt"),
        "client-key-data": certificates.data("client.key"),
    }
    text = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url, **authority, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    file = folder / "config"
    file.write_text(json.dumps({k: v for k, v in text.items() if v}))
    return str(file)


async def exercise(kubeconfig: str, fake: FakeApiServer, bastion: Bastion | None = None) -> None:
    """Make a request, and send bytes through a port-forward."""
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    fake.store.create("pod", "default", body)
    fake.store.update(
        *("pod", "default", "p"),
        lambda old: {**old, "status": {"phase": "Running"}},
        subresource="status",
    )

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    fake.forwarding.any_pod[7000] = server.sockets[0].getsockname()[:2]
    got, whole = bytearray(), asyncio.Event()
    sent = os.urandom(500_000)

    def take(data: bytes) -> None:
        got.extend(data)
        if len(got) >= len(sent):
            whole.set()

    async with server, open_api(context=None, kubeconfig=kubeconfig, bastion=bastion) as api:
        await api.list(MAPS)
        pipe = await open_port_forward(api, "default", "p", 7000)
        pipe.start(take, pytest.fail, pause=lambda: None, resume=lambda: None)
        pipe.write(sent)
        async with asyncio.timeout(20):
            await whole.wait()
        pipe.close()
    assert bytes(got) == sent


async def test_server_name_and_client_certificate(
    fake: FakeApiServer, url: str, certificates: Certificates, tmp_path: Path
) -> None:
    """tls-server-name is checked in place of the address, for port-forwards too."""
    options = {"tls-server-name": "api.example"}
    await exercise(config(tmp_path, url, certificates, **options), fake)


async def test_a_bastion_changes_nothing_of_tls(
    fake: FakeApiServer, url: str, certificates: Certificates, tmp_path: Path, bastion: Bastion
) -> None:
    """Through an SSH jump host the kubeconfig's names and certificates count all the same."""
    options = {"tls-server-name": "api.example"}
    await exercise(config(tmp_path, url, certificates, **options), fake, bastion)
    named = config(tmp_path, url, certificates)
    with pytest.raises(UnreachableError) as caught:
        async with open_api(context=None, kubeconfig=named, bastion=bastion) as api:
            await api.list(MAPS)
    assert "its certificate is not trusted" in caught.value.details[0]


async def test_wrong_name_is_not_trusted(
    url: str, certificates: Certificates, tmp_path: Path
) -> None:
    """A certificate for another name is refused at once, and said to be the reason."""
    async with open_api(context=None, kubeconfig=config(tmp_path, url, certificates)) as api:
        with pytest.raises(UnreachableError) as caught:
            await api.get("/version")
    assert caught.value.details[0].startswith("its certificate is not trusted")
    assert "tls-server-name" in (caught.value.hint or "")


async def test_skipping_verification_works(
    fake: FakeApiServer, url: str, certificates: Certificates, tmp_path: Path
) -> None:
    """insecure-skip-tls-verify talks to anybody."""
    options = {"insecure-skip-tls-verify": True, "certificate-authority-data": None}
    file = config(tmp_path, url, certificates, **options)
    text = json.loads(Path(file).read_text())
    del text["clusters"][0]["cluster"]["certificate-authority-data"]
    Path(file).write_text(json.dumps(text))
    await exercise(file, fake)


async def test_keys_leave_the_disk(
    url: str, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inline keys are files only while they are loaded."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    options = {"tls-server-name": "api.example"}
    file = config(tmp_path, url, certificates, **options)
    async with open_api(context=None, kubeconfig=file) as api:
        assert list(folder.iterdir()) == []
        await api.get("/version")


@asynccontextmanager
async def proxy(seen: list[bytes]) -> AsyncIterator[str]:
    """An HTTP proxy that knows CONNECT."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        host, _, port = head.split()[1].decode().rpartition(":")
        inner, outer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(copy(reader, outer))
            group.create_task(copy(inner, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    async with server:
        yield f"http://anna:secret@{host}:{port}"


async def test_proxy_of_the_context(
    fake: FakeApiServer, url: str, certificates: Certificates, tmp_path: Path
) -> None:
    """proxy-url is used, with its user, for requests and port-forwards."""
    seen: list[bytes] = []
    async with proxy(seen) as through:
        options = {"tls-server-name": "api.example", "proxy-url": through}
        await exercise(config(tmp_path, url, certificates, **options), fake)
    assert seen
    expected = base64.b64encode(b"anna:secret")
    assert all(b"Proxy-Authorization: Basic " + expected in head for head in seen)


async def test_dead_proxy_is_named(url: str, certificates: Certificates, tmp_path: Path) -> None:
    """A proxy that is not there is told from an API server that is not there."""
    options = {"proxy-url": "http://127.0.0.1:1"}
    file = config(tmp_path, url, certificates, **options)
    async with open_api(context=None, kubeconfig=file) as api:
        with pytest.raises(UnreachableError) as caught:
            await api.get("/version")
    assert caught.value.details[0].startswith("the proxy cannot be reached")


async def test_socks_proxy_is_refused(url: str, certificates: Certificates, tmp_path: Path) -> None:
    """A SOCKS proxy is refused by name, before anything is sent."""
    file = config(tmp_path, url, certificates, **{"proxy-url": "socks5://127.0.0.1:1080"})
    with pytest.raises(UsageError) as caught:
        async with open_api(context=None, kubeconfig=file):
            pass
    assert "socks5://127.0.0.1:1080" in caught.value.message
