"""Every test of this folder runs ``tp`` itself, on a real cluster, in a namespace of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import rig
from tests.e2e import accounts, people
from tests.e2e.people import Person
from tests.e2e.place import Place
from tests.e2e.terminal import Terminal

ROLE_ALONE = os.environ.get("TP_E2E_ROLE", "") != ""
"""Every ``tp`` has just the Role that ``tp rbac`` prints; what needs more fails."""


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
    return str(rig.ensure_up().kubeconfig)


@contextmanager
def _open_place(kubeconfig: str, person: Person) -> Iterator[Place]:
    found = Place(f"e2e-{uuid.uuid4().hex[:8]}", kubeconfig, person)
    found.kubectl("create", "namespace", found.namespace)
    try:
        if ROLE_ALONE:
            accounts.with_the_printed_role(found)
        yield found
    finally:
        found.end()


@pytest.fixture
def open_place(kubeconfig: str) -> Iterator[Callable[[Person], Place]]:
    """Opens fresh namespaces with a project folder and a state folder; all gone afterwards."""
    with ExitStack() as opened:
        yield lambda person: opened.enter_context(_open_place(kubeconfig, person))


@pytest.fixture
def place(open_place: Callable[[Person], Place]) -> Place:
    """A fresh namespace with its folders, of whoever runs the tests."""
    return open_place(Person())


@pytest.fixture
def ordinary_place(open_place: Callable[[Person], Place]) -> Place:
    """The same, of an ordinary user of this machine."""
    return open_place(people.ordinary())


@pytest.fixture(scope="module")
def shared_place(kubeconfig: str) -> Iterator[Place]:
    """The same for all tests of a module, which must change nothing of it."""
    with _open_place(kubeconfig, Person()) as found:
        yield found


@pytest.fixture(scope="session")
def probe() -> Iterator[str]:
    """A static Go program that brings its own resolver; everybody may run it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tp-probe-") as name:
        Path(name).chmod(0o755)
        yield str(shutil.copy(os.environ.get("TP_TEST_PROBE") or rig.probe(), name))


@pytest.fixture(scope="session")
def proxy_image(kubeconfig: str) -> str:
    """The real proxy image, where the cluster has it or can pull it."""
    given = os.environ.get("TP_TEST_IMAGE")
    if given:
        return given
    kept = os.environ.pop("TP_TEST_KUBECONFIG", None)
    try:
        if kept is not None and Path(kept).resolve() != rig.kubeconfig().resolve():
            pytest.fail("a cluster that is not this checkout's rig needs TP_TEST_IMAGE")
        return rig.image_reference()
    finally:
        if kept is not None:
            os.environ["TP_TEST_KUBECONFIG"] = kept


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    """Opens terminals; those that a test leaves open are hung up."""
    opened: list[Terminal] = []

    def open_one(place: Place, *arguments: str) -> Terminal:
        opened.append(Terminal(place, *arguments))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
