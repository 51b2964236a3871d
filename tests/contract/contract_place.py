"""Where the contract tests run: the fake API server, and a real one (``-m rig``).

The real one is what ``TP_TEST_KUBECONFIG`` names (``TP_TEST_CONTEXT`` chooses in it), else the rig.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.fake_apiserver import FakeApiServer, fake_api_server
from tpconfig.cluster.api import Api, open_api
from tpconfig.cluster.paths import path_of

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Place:
    """One API server, and a namespace of this test's own on it."""

    api: Api
    namespace: str
    image: str
    kubeconfig: str
    fake: FakeApiServer | None

    def path(self, kind: str, name: str | None = None, subresource: str | None = None) -> str:
        """Return a path in this test's namespace."""
        return path_of(kind, self.namespace, name, subresource)


@dataclass(frozen=True)
class Real:
    """The real API server of this run."""

    kubeconfig: str
    context: str | None
    image: str


@pytest.fixture(scope="session")
def real() -> Real:
    """What ``TP_TEST_KUBECONFIG`` names, else the rig; fails where there is neither."""
    image = os.environ.get("TP_TEST_IMAGE")
    given = os.environ.get("TP_TEST_KUBECONFIG")
    if given:
        return Real(given, os.environ.get("TP_TEST_CONTEXT"), image or "python:3.13-slim")
    return Real(_rig("kubeconfig"), None, image or _rig("image"))


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.rig)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A fresh namespace on the fake, and on the real API server."""
    async with AsyncExitStack() as stack:
        if request.param == "fake":
            fake = await stack.enter_async_context(fake_api_server())
            cluster = Real(fake.write_kubeconfig(tmp_path), None, "fake")
        else:
            fake, cluster = None, request.getfixturevalue("real")
        opened = open_api(context=cluster.context, kubeconfig=cluster.kubeconfig)
        api = await stack.enter_async_context(opened)
        body = {"metadata": {"generateName": "tp-contract-"}}
        name = (await api.create(path_of("namespace"), body))["metadata"]["name"]
        try:
            yield Place(api, name, cluster.image, cluster.kubeconfig, fake)
        finally:
            await api.delete(path_of("namespace", None, name))


def _rig(what: str) -> str:
    """Return what the rig prints as its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.rig", what], cwd=ROOT, capture_output=True, text=True
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        pytest.fail(f"no rig ({done.stderr.strip()}): run `python -m tests.rig up`")
    return lines[-1]
