"""A rig of its own, broken in every way that a crash can break it, and mended by ``up``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import bare, faults, node, processes, users
from tests.rig.api import Api, RefusedError
from tests.rig.places import Places, places

pytestmark = [
    pytest.mark.rig,
    pytest.mark.skipif(bool(bare.refusal()), reason=bare.refusal() or "root"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A second rig beside the one that other tests use; in a short path, for its sockets."""
    folder = tmp_path_factory.mktemp("r")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder)
    found = places()
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
    bare.up(found)
    yield found
    slot = found.slot
    bare.down(found)
    assert not found.state.exists()
    assert processes.marked(found) == []
    assert not Path(f"/sys/class/net/tprig{slot}").exists()
    assert str(found.state) not in Path("/proc/mounts").read_text()


@pytest.mark.parametrize("name", bare.NAMES)
def test_a_killed_component_comes_back(rig: Places, name: str) -> None:
    """``up`` finds it missing, starts it, and all answers again."""
    faults.kill(rig, name)
    assert not bare.healthy(rig)
    bare.up(rig)
    assert bare.healthy(rig)


def test_a_rig_without_its_holder_starts_anew(rig: Places) -> None:
    """Its network went with it; the keys stay, so that kubeconfigs stay valid."""
    authority = (rig.pki / "ca.crt").read_bytes()
    faults.kill(rig, node.HOLDER)
    bare.up(rig)
    assert bare.healthy(rig)
    assert (rig.pki / "ca.crt").read_bytes() == authority


def test_coredns_stops_and_starts(rig: Places) -> None:
    """Both return when it is so."""
    faults.stop_coredns(rig)
    assert not bare.healthy(rig)
    faults.start_coredns(rig)
    assert bare.healthy(rig)


def test_the_api_server_and_the_kubelet_restart(rig: Places) -> None:
    """Both return when they serve again."""
    faults.restart_api_server(rig)
    faults.restart_kubelet(rig)
    assert bare.healthy(rig)


def test_a_second_person_may_do_nothing(rig: Places, tmp_path: Path) -> None:
    """A certificate names somebody; permissions come from roles only."""
    target = users.person(rig, "anna", groups=("dev",), to=tmp_path / "anna")
    kubectl = bare.builds.kubernetes() / "kubectl"
    words = [str(kubectl), "--kubeconfig", str(target), "auth", "whoami"]
    who = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "anna" in who
    assert "dev" in who
    said = subprocess.run([*words[:3], "get", "pods"], capture_output=True, text=True, check=False)
    assert "forbidden" in said.stderr


def test_a_service_account_is_who_it_says(rig: Places, tmp_path: Path) -> None:
    """Its token works at once."""
    target = users.service_account(rig, "robot", namespace="default", to=tmp_path / "robot")
    kubectl = bare.builds.kubernetes() / "kubectl"
    words = [str(kubectl), "--kubeconfig", str(target), "auth", "whoami"]
    who = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "system:serviceaccount:default:robot" in who


def test_a_missing_object_is_refused_by_status(rig: Places) -> None:
    """The rig's own client tells an answer from an outage."""
    with pytest.raises(RefusedError) as caught:
        Api(rig).call("GET", "/api/v1/namespaces/none-such")
    assert caught.value.status == 404
