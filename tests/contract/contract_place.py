"""Where the contract tests run: the fake API server, and a real one (``-m rig``).

The real one is what ``TP_TEST_KUBECONFIG`` names (``TP_TEST_CONTEXT`` chooses in it), else the rig.
"""

from __future__ import annotations

import asyncio
import os
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
IMAGE = os.environ.get("TP_TEST_IMAGE", "python:3.13-slim")
"""Any image with a Python 3 on its PATH; the rig names its own."""


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


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.rig)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A fresh namespace on the fake, and on the real API server."""
    async with AsyncExitStack() as stack:
        fake, image = None, IMAGE
        if request.param == "fake":
            fake = await stack.enter_async_context(fake_api_server())
            kubeconfig, context = fake.write_kubeconfig(tmp_path), None
        else:
            kubeconfig, context = await _real()
            image = os.environ.get("TP_TEST_IMAGE") or await _rig("image")
        api = await stack.enter_async_context(open_api(context=context, kubeconfig=kubeconfig))
        body = {"metadata": {"generateName": "tp-contract-"}}
        made = await api.create(path_of("namespace"), body)
        name = made["metadata"]["name"]
        try:
            yield Place(api, name, image, kubeconfig, fake)
        finally:
            await api.delete(path_of("namespace", None, name))


async def _real() -> tuple[str, str | None]:
    given = os.environ.get("TP_TEST_KUBECONFIG")
    if given:
        return given, os.environ.get("TP_TEST_CONTEXT")
    return await _rig("kubeconfig"), None


async def _rig(what: str) -> str:
    """Return what the rig prints as its last line; fails where there is no rig."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.rig", what),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    lines = output.decode().strip().splitlines()
    if process.returncode != 0 or not lines:
        pytest.fail("no rig: run `python -m tests.rig up`, or set TP_TEST_KUBECONFIG")
    return lines[-1]
