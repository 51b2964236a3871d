"""A session whose API server is reached through an SSH jump host."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place
from tests.rig import sshd as servers
from tests.rig.sshd import Sshd, make_key, public


@pytest.fixture
def sshd(place: Place) -> Iterator[Sshd]:
    """A jump host that lets the key in the place's home in."""
    if servers.program() is None and not os.environ.get("CI"):
        pytest.skip("no sshd here (Debian: openssh-server)")
    place.home.chmod(0o755)
    with Sshd(place.home / "sshd") as found:
        found.authorize(make_key(place.home / "id"))
        yield found


def test_a_session_goes_through_a_bastion_and_survives_its_end(place: Place, sshd: Sshd) -> None:
    """Up, requests come here, the jump host drops us, they still do, down; all of it over SSH."""
    web = objects.deployment("web")
    place.apply(objects.service("web"), web, objects.client())
    before = place.exact("web")
    bastion = {
        "host": "127.0.0.1",
        "port": sshd.port,
        "user": sshd.user,
        "identity": str(place.home / "id"),
        "host_key": public(sshd.host_key),
    }
    place.write({"web": objects.swap(3000)}, cluster={"bastion": bastion})
    assert "bastion" in place.tp("doctor").stdout
    place.ok("up", "-d")
    assert sshd.connections()
    session = place.status()["session"]
    place.settled("web")
    assert place.load("http://web")["served_by"] == {"here": 100}
    logins = sshd.log.count("Accepted publickey")
    sshd.drop()
    eventually(
        lambda: sshd.log.count("Accepted publickey") > logins and link_of(place) == "up",
        lambda: f"{place.status()} {sshd.log}",
        timeout_s=90,
    )
    counted = place.load("http://web")
    assert (counted["failed"], counted["served_by"]) == (0, {"here": 100})
    place.ok("down")
    assert place.exact("web") == before
    place.nothing_left(session)
    named = f"{sshd.user}@127.0.0.1:{sshd.port}"
    refused = place.tp("ls", "--bastion", named)
    assert refused.returncode == 7
    assert "is not known" in refused.stderr


def link_of(place: Place) -> str:
    """Return how the workload's link is."""
    return str(place.status()["workloads"][0]["link"])
