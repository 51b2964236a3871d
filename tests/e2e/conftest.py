"""Every test of this folder runs ``tp`` itself, on a real cluster, in a namespace of its own."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.place import Place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a cluster."""
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.rig)


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The cluster's kubeconfig: ``TP_TEST_KUBECONFIG``, else the rig's."""
    given = os.environ.get("TP_TEST_KUBECONFIG")
    if given:
        return given
    from tests import rig

    rig.ensure_up()
    return str(rig.kubeconfig())


@pytest.fixture
def place(kubeconfig: str, tmp_path: Path) -> Iterator[Place]:
    """A fresh namespace, project folder and state folder; all gone afterwards."""
    found = Place(tmp_path / "project", f"e2e-{uuid.uuid4().hex[:8]}", kubeconfig)
    found.folder.mkdir()
    found.kubectl("create", "namespace", found.namespace)
    try:
        yield found
    finally:
        found.end()
        subprocess.run(
            [
                *found.kubectl_command(),
                "delete",
                "namespace",
                found.namespace,
                "--wait=false",
                "--ignore-not-found",
            ],
            check=False,
            capture_output=True,
        )
