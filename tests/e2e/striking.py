"""An API server that strikes at one write: a proxy of one test's own, in a thread of its own.

It speaks HTTP/1.1 in the clear to ``tp`` and TLS to the real server, as the kubeconfig says. It
counts what changes objects, but neither the renewals of a Lease nor the questions of permission.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
import threading
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.rig.choice import kubeconfig_as_json
from tests.rig.wan import endpoint
from tpconfig.cluster.paths import path_of

WRONG = ("before", "after", "unheard", "unanswered")
QUESTIONS = ("authorization.k8s.io", "authentication.k8s.io")
LIMIT = 1 << 20


class StruckError(Exception):
    """The connection of the write that is struck at ends here."""


@dataclass
class Strike:
    """What happens at which write; ``at`` counts from 1, and 0 never comes.

    ``before`` and ``after``: ``kill`` is called before the server has the request, or when its
    answer is there. ``unheard`` and ``unanswered``: nobody dies, the request or its answer is lost.
    """

    at: int = 0
    wrong: str = "before"
    kill: Callable[[], object] = lambda: None
    writes: list[str] = field(default_factory=list)
    struck: str = ""

    def request(self, line: str) -> bool:
        """Count a write; return whether its answer is to be waited for."""
        self.writes.append(line)
        if len(self.writes) != self.at:
            return False
        if self.wrong in ("before", "unheard"):
            self.strike(line)
        return True

    def strike(self, line: str) -> None:
        """Strike now.

        Raises:
            StruckError: always.
        """
        self.struck = f"{self.wrong} write {self.at}, {line}"
        if self.wrong in ("before", "after"):
            self.kill()
        raise StruckError


class Proxy:
    """Carries requests to the real API server; ``strike`` may be another one at any time."""

    def __init__(self, kubeconfig: Path) -> None:
        self.strike = Strike()
        self.url = ""
        self._where = endpoint(kubeconfig)
        self._tls = _tls(kubeconfig)

    def list(self, kind: str, namespace: str, *, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind, which is cheaper than ``kubectl`` by far."""
        url = f"{self.url}{path_of(kind, namespace)}?{urlencode({'labelSelector': selector})}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            items: list[dict[str, Any]] = json.load(answer)["items"]
        return [{"kind": kind, **one} for one in items]

    async def serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        try:
            far, there = await asyncio.open_connection(*self._where, ssl=self._tls, limit=LIMIT)
        except OSError:
            back.transport.abort()
            return
        waited_for: list[tuple[Strike, str]] = []
        try:
            async with asyncio.TaskGroup() as group:
                answers = group.create_task(_answers(far, back, waited_for))
                try:
                    await self._requests(near, there, waited_for)
                finally:
                    answers.cancel()
        except* (StruckError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for writer in (there, back):
                writer.transport.abort()

    async def _requests(
        self,
        near: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        waited_for: list[tuple[Strike, str]],
    ) -> None:
        while True:
            head = await near.readuntil(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(one.lower().split(": ", 1) for one in lines if ": " in one)
            body = await near.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = line.split(" ", 2)
            if _is_write(method, target, body):
                strike, said = self.strike, f"{method} {target.partition('?')[0]}"
                if strike.request(said):
                    waited_for.append((strike, said))
            there.write(head + body)
            await there.drain()
            if "upgrade" in headers:
                while chunk := await near.read(65536):
                    there.write(chunk)
                    await there.drain()
                return


async def _answers(
    far: asyncio.StreamReader, back: asyncio.StreamWriter, waited_for: list[tuple[Strike, str]]
) -> None:
    while chunk := await far.read(65536):
        if waited_for:
            strike, said = waited_for.pop()
            strike.strike(said)
        back.write(chunk)
        await back.drain()
    back.close()


def _is_write(method: str, target: str, body: bytes) -> bool:
    if method == "GET" or any(f"/apis/{group}/" in target for group in QUESTIONS):
        return False
    if method == "PATCH" and "/leases/" in target:
        patch = json.loads(body)
        return not (isinstance(patch, dict) and "renewTime" in patch.get("spec", {}))
    return True


@contextmanager
def open_proxy(kubeconfig: Path, *, to: Path) -> Iterator[Proxy]:
    """Run a proxy until the block ends; ``to`` is the kubeconfig that leads through it."""
    proxy, ready, stop = Proxy(kubeconfig), threading.Event(), asyncio.Event()
    found: list[tuple[int, asyncio.AbstractEventLoop]] = []

    async def life() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=LIMIT)
        found.append((server.sockets[0].getsockname()[1], asyncio.get_running_loop()))
        ready.set()
        await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(life()), daemon=True)
    thread.start()
    assert ready.wait(10)
    port, loop = found[0]
    proxy.url = f"http://127.0.0.1:{port}"
    to.write_text(json.dumps(_kubeconfig(proxy.url)))
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def _kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "proxy",
        "clusters": [{"name": "proxy", "cluster": {"server": server}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        "users": [{"name": "proxy", "user": {}}],
    }


def _tls(kubeconfig: Path) -> ssl.SSLContext:
    """Return what a kubeconfig with certificates in it says about TLS."""
    body = json.loads(kubeconfig_as_json(kubeconfig))
    cluster, user = body["clusters"][0]["cluster"], body["users"][0]["user"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for key in ("client-certificate-data", "client-key-data"):
            paths.append(Path(folder) / key)
            paths[-1].write_bytes(b64decode(user[key]))
        with suppress(AttributeError):
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Kubernetes' own CAs may lack them
        context.load_cert_chain(*paths)
    return context
