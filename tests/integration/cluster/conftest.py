"""Makes ``tests.fakes`` importable, whether pytest was started as a module or as a command."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

ROOT = str(Path(__file__).resolve().parents[3])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from tests.fakes.fake_apiserver import FakeApiServer, fake_api_server  # noqa: E402
from tpconfig.cluster.api import Api, open_api  # noqa: E402


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
