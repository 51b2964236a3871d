"""``outbound``: what leaves from this machine instead of from the Pod."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import listening, objects
from tests.e2e.people import Person
from tests.e2e.place import Place

OWN_RESOLV_CONF = 'mount --bind "$0" /etc/resolv.conf; exec "$@"'
WITH_ROOT = ["*.corp.test", "app.corp.test"] if os.geteuid() == 0 else []
"""Only root may listen on port 53 and have a resolv.conf of its own."""


def test_a_network_leaves_from_this_machine(place: Place) -> None:
    """What is in a CIDR of ``machine`` goes out here, by every transport."""
    own = listening.own_address()
    with listening.web("0.0.0.0") as (port, callers):
        come_up(place, machine=[f"{own}/32"])
        assert fetch(place, f"http://{own}:{port}/") == "hello"
    assert callers == [own]


def test_a_port_leaves_from_this_machine(place: Place) -> None:
    """A rule of a port alone holds for every address."""
    own = listening.own_address()
    with listening.web("0.0.0.0") as (port, callers):
        come_up(place, machine=[f":{port}"])
        assert fetch(place, f"http://{own}:{port}/") == "hello"
    assert callers == [own]


def test_all_else_goes_through_the_pod(place: Place) -> None:
    """What no rule names does not leave from here, and ``default: machine`` turns it around."""
    own = listening.own_address()
    with listening.web("0.0.0.0") as (port, callers):
        url = f"http://{own}:{port}/"
        come_up(place, machine=["10.255.0.0/16"])
        fetch(place, url)
        assert own not in callers
        callers.clear()
        place.ok("down")
        come_up(place, default="machine", pod=["other*"])
        assert fetch(place, url) == "hello"
        assert '"name": "other"' in fetch(place, "http://other")
    assert callers == [own]


def test_a_second_up_changes_what_leaves_from_here(place: Place) -> None:
    """A changed ``outbound`` holds once ``tp up`` has returned."""
    own = listening.own_address()
    with listening.web("0.0.0.0") as (port, callers):
        come_up(place, machine=["10.255.0.0/16"])
        come_up(place, machine=[f"{own}/32"])
        assert fetch(place, f"http://{own}:{port}/") == "hello"
    assert callers == [own]


@pytest.mark.parametrize("pattern", WITH_ROOT)
def test_a_host_leaves_from_this_machine(
    open_place: Callable[[Person], Place], pattern: str
) -> None:
    """A name of ``machine`` is asked here, and its address is reached from here; no other is."""
    own = listening.own_address()
    with own_nameserver(own) as (person, asked), listening.web("0.0.0.0") as (port, callers):
        place = open_place(person)
        come_up(place, machine=[pattern])
        assert fetch(place, f"http://app.corp.test:{port}/") == "hello"
        fetch(place, f"http://app.else.test:{port}/")
        assert '"name": "other"' in fetch(place, "http://other")
    assert callers == [own]
    assert set(asked) == {"app.corp.test"}


def come_up(place: Place, **outbound: object) -> None:
    """Have a session with this ``outbound``, and another Service in the cluster."""
    place.apply(objects.deployment("web"), objects.deployment("other"), objects.service("other"))
    place.write({"web": objects.idle()}, outbound=outbound)
    place.ok("up", "-d")


def fetch(place: Place, url: str) -> str:
    """Return what a URL answers inside; nothing where it does not."""
    return place.tp("run", "web", "--", "curl", "-sSm", "9", url).stdout


@contextmanager
def own_nameserver(address: str) -> Iterator[tuple[Person, list[str]]]:
    """Serve names of ``corp.test``; yields somebody whose resolver asks there, and the names."""
    host = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    with (
        listening.nameserver(host, ".corp.test", address) as asked,
        listening.resolv_conf(host) as path,
    ):
        yield Person(prefix=("unshare", "--mount", "sh", "-ec", OWN_RESOLV_CONF, path)), asked
