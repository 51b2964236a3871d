"""What `tp up` imports before its first request: no more than it uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, sys
import tpconfig.session.up, tpconfig.cluster.kubeconfig
from aiohttp import connector
trusted = connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509_ca"]
known = sorted({name.split(".")[0] for name in sys.modules})
ours = [name for name in sys.modules if name.startswith("tpconfig.config")]
import kubernetes.aio.client
client = kubernetes.aio.client.ApiClient.__module__
print(json.dumps([known, ours, trusted, os.environ.get("SSL_CERT_FILE"), client]))
"""


@pytest.fixture(scope="module", params=[None, "/somewhere/ca.pem"])
def imported(request: pytest.FixtureRequest) -> tuple[list[object], str | None]:
    """Import it in a process of its own; with and without authorities that the user has named."""
    environ = {key: value for key, value in os.environ.items() if key != "SSL_CERT_FILE"}
    if request.param:
        environ["SSL_CERT_FILE"] = request.param
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout), request.param


def test_what_checks_files_is_not_among_it(imported: tuple[list[object], str | None]) -> None:
    """Another process does that meanwhile."""
    (known, ours, *_), _ = imported
    assert isinstance(known, list)
    assert "aiohttp" in known
    assert "pydantic" not in known
    assert ours == []


def test_the_systems_authorities_are_not_read(imported: tuple[list[object], str | None]) -> None:
    """Each connection has its own; and the environment is afterwards as it was."""
    (_, _, trusted, authorities, _), given = imported
    assert (trusted, authorities) == (0, given)


def test_the_kubernetes_client_is_there_for_who_asks(
    imported: tuple[list[object], str | None],
) -> None:
    """What stood in for it is gone again."""
    (*_, client), _ = imported
    assert client == "kubernetes.aio.client.api_client"
