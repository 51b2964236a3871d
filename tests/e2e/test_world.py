"""The workload's world: the names and the network of the Pod, for any kind of program.

An ordinary user runs these.
"""

from __future__ import annotations

import sys
import time

import pytest

from tests.e2e import listening, objects
from tests.e2e.place import Place

_READ = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read())"
_FIND = "import sys, socket; print(socket.getaddrinfo(sys.argv[1], 80))"


@pytest.fixture
def around(ordinary_place: Place) -> Place:
    """Everything that can be named around ``web``."""
    place = ordinary_place
    named = objects.deployment("named")
    named["spec"]["template"]["spec"] |= {"hostname": "one", "subdomain": "headless"}
    web = objects.deployment("web")
    web["spec"]["template"]["spec"]["hostAliases"] = [
        {"ip": "127.0.0.1", "hostnames": ["myself.test"]},
        {"ip": "192.0.2.77", "hostnames": ["somebody.test"]},
    ]
    place.apply(
        web,
        objects.service("web"),
        objects.deployment("other", env=[{"name": "UDP_PORT", "value": "5005"}]),
        objects.service(
            "other",
            ports=[
                {"name": "web", "port": 80, "targetPort": 8080},
                {"name": "echo", "port": 5005, "protocol": "UDP"},
            ],
        ),
        named,
        objects.service("headless", clusterIP="None", selector={"app": "named"}),
        objects.external_name("elsewhere", f"other.{place.namespace}.svc.cluster.local"),
    )
    return place


@pytest.fixture
def inside(around: Place) -> Place:
    """A session that is up; the local process listens on 3000."""
    around.write({"web": objects.swap(3000)})
    around.ok("up", "-d")
    return around


def test_every_name_is_reached_by_every_kind_of_program(inside: Place, probe: str) -> None:
    """curl, Python and a static Go binary reach short, qualified, headless and external names."""
    space = inside.namespace
    asked = (
        "http://other",
        f"http://other.{space}",
        f"http://other.{space}.svc",
        f"http://other.{space}.svc.cluster.local",
        f"http://one.headless.{space}.svc.cluster.local:8080",
        "http://one.headless:8080",
        "http://elsewhere",
    )
    for url in asked:
        for program in (["curl", "-sSm", "10"], [sys.executable, "-c", _READ], [probe, "http"]):
            done = inside.tp("run", "web", "--", *program, url)
            assert done.returncode == 0, (program, url, done.stderr)
            wanted = "named" if "headless" in url else "other"
            assert f'"name": "{wanted}"' in done.stdout, (program, url, done.stdout)


def test_service_records_and_datagrams(inside: Place, probe: str) -> None:
    """SRV records are what the Pod would get, and datagrams come back."""
    name = f"other.{inside.namespace}.svc.cluster.local"
    assert f"{name}.:80\n" == inside.ok("run", "web", "--", probe, "srv", f"_web._tcp.{name}")
    for address in ("other:5005", f"{name}:5005"):
        assert inside.ok("run", "web", "--", probe, "udp", address, "hello") == "hello\n"


def test_what_does_not_exist_fails(inside: Place, probe: str) -> None:
    """A name that nobody has is an error of the name, at once, for every kind of program."""
    name = f"nobody.{inside.namespace}.svc.cluster.local"
    for program in (
        ["curl", "-sSm", "9", f"http://{name}"],
        ["curl", "-sSm", "9", "http://nobody"],
        [sys.executable, "-c", _FIND, "nobody.example.invalid"],
        [probe, "dns", "nobody"],
        [probe, "srv", f"_web._tcp.{name}"],
    ):
        began_s = time.monotonic()
        done = inside.tp("run", "web", "--", *program)
        assert time.monotonic() - began_s < 5, program
        assert done.returncode in (1, 6), (program, done.stderr)
        words = ("not resolve", "no such host", "gaierror")
        assert any(word in done.stderr for word in words), (program, done.stderr)


def test_a_port_that_refuses_is_refused(inside: Place) -> None:
    """The process sees the end of its connection, not one that hangs."""
    host = f"one.headless.{inside.namespace}.svc.cluster.local"
    done = inside.tp("run", "web", "--", "curl", "-sSm", "9", f"http://{host}:81")
    assert done.returncode in (7, 52, 56), done.stderr


def test_localhost_is_the_workloads_own(inside: Place) -> None:
    """What the process listens on is there; the Pod's and this machine's localhost are not."""
    found = inside.ok("run", "web", "--", "curl", "-sSm", "9", "http://localhost:3000")
    assert '"served_by": "here"' in found
    with listening.web("127.0.0.1") as (port, _):
        for number in (port, 17600, 17601):
            done = inside.tp("run", "web", "--", "curl", "-sSm", "9", f"http://127.0.0.1:{number}")
            assert done.returncode == 7, (number, done.stderr)


def test_this_machines_localhost_has_a_name(inside: Place) -> None:
    """What listens on loopback here is reached as host.tp.internal."""
    with listening.web("127.0.0.1") as (port, _):
        url = f"http://host.tp.internal:{port}"
        assert inside.ok("run", "web", "--", "curl", "-sSm", "9", url) == "hello"


def test_the_pods_own_aliases(inside: Place) -> None:
    """What ``hostAliases`` adds to the Pod's hosts is there, on loopback too."""
    found = inside.ok("run", "web", "--", "getent", "hosts", "somebody.test")
    assert found.split() == ["192.0.2.77", "somebody.test"]
    found = inside.ok("run", "web", "--", "curl", "-sSm", "9", "http://myself.test:3000")
    assert '"served_by": "here"' in found


def test_the_api_server_is_reached_from_this_machine(inside: Place) -> None:
    """``kubectl`` works inside as it does outside."""
    inside.ok("run", "web", "--", *inside.kubectl_command()[:1], "get", "--raw", "/version")
