"""A fake cluster with a shop in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.fake_apiserver import fake_api_server
from tests.fakes.laptop import create_shop
from tests.fakes.shop import Shop
from tpconfig.cluster.api import open_api
from tpconfig.cluster.paths import path_of


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Deployments api and web in the namespace shop, and api in far."""
    async with fake_api_server() as fake:
        kubeconfig = fake.write_kubeconfig(tmp_path, namespace="shop")
        async with open_api(context=None, kubeconfig=kubeconfig) as api:
            for namespace, names in {"shop": ("api", "web"), "far": ("api",)}.items():
                await api.create(path_of("namespace"), {"metadata": {"name": namespace}})

                def path(kind: str, namespace: str = namespace) -> str:
                    return path_of(kind, namespace)

                await create_shop(api, path, *names)
        yield Shop(fake, kubeconfig)
