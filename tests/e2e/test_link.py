"""The link of a session whose connections to the API server are cut."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e import objects
from tests.e2e.cutting import Network, network_of
from tests.e2e.load import Load
from tests.e2e.namespace import eventually
from tests.e2e.place import Place

ECHO_PORT = 9000

CHECKED = """
import hashlib, json, random, socket, sys, threading
host, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sock = socket.create_connection((host, port))
out, into, rng = hashlib.sha256(), hashlib.sha256(), random.Random(1)
def send():
    left = size
    while left:
        data = rng.randbytes(min(left, 65536))
        out.update(data)
        sock.sendall(data)
        left -= len(data)
    sock.shutdown(socket.SHUT_WR)
thread = threading.Thread(target=send)
thread.start()
received = told = 0
while data := sock.recv(65536):
    into.update(data)
    received += len(data)
    if received - told >= 1 << 20:
        told = received
        print(received, file=sys.stderr, flush=True)
thread.join()
print(json.dumps({"received": received, "same": out.digest() == into.digest()}))
"""


@pytest.fixture
def network(place: Place) -> Iterator[Network]:
    """What ``tp`` reaches the cluster through."""
    with network_of(place) as found:
        yield found


def echo(name: str) -> list[dict[str, object]]:
    """Return a Deployment that echoes TCP, and its Service."""
    env = [{"name": "TCP_PORT", "value": str(ECHO_PORT)}]
    service = objects.service(name)
    service["spec"]["ports"] = [{"name": "echo", "port": ECHO_PORT}]
    return [objects.deployment(name, env=env), service]


def test_a_transfer_survives_cuts(place: Place, network: Network) -> None:
    """A transfer through the cluster and back has every byte, once and in order, after six cuts."""
    place.apply(objects.deployment("web"), *echo("echo"))
    place.write({"web": objects.idle()})
    place.ok("up", "-d")
    size = 48 << 20
    transfer = subprocess.Popen(
        place.tp_command(
            "run", "web", "--", sys.executable, "-c", CHECKED, "echo", str(ECHO_PORT), str(size)
        ),
        cwd=place.folder,
        env=place.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert transfer.stderr is not None
    cut = 0
    for number, line in enumerate(transfer.stderr):
        assert line.strip().isdecimal(), line + transfer.stderr.read()
        if number % 7 == 3:
            cut += network.cut() > 0
    out, _ = transfer.communicate(timeout=60)
    assert json.loads(out) == {"received": size, "same": True}
    assert cut >= 6
    assert place.status()["workloads"][0]["reconnects"] >= 5


def test_callers_wait_out_a_black_hole(place: Place, network: Network) -> None:
    """Who called before the link was dead is answered when it is back; status tells meanwhile."""
    place.apply(objects.deployment("web"), objects.service("web"), objects.client())
    place.write({"web": objects.swap()})
    place.ok("up", "-d")
    slow = subprocess.Popen(
        [*place.kubectl_command(), "exec", "deploy/client", "--", objects.PYTHON, "-c",
         "import urllib.request as u; "
         "print(u.urlopen('http://web/slow?seconds=4', timeout=60).read().decode())"],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    load = Load(
        [*place.kubectl_command(), "exec", "-i", "deploy/client", "--"], "http://web/", rate=5
    )
    network.black_hole()
    eventually(lambda: place.status()["workloads"][0]["link"] == "lost", place.log, timeout_s=40)
    assert "lost" in place.ok("status")
    network.mend()
    eventually(lambda: place.status()["workloads"][0]["link"] == "up", place.log, timeout_s=40)
    assert json.loads(slow.communicate(timeout=60)[0])["served_by"] == "here"
    counts = load.stop()
    assert counts.reasons.keys() <= {"TimeoutError"}, counts
    assert counts.failed < counts.sent
    assert place.status()["workloads"][0]["reconnects"] == 1


def test_after_reconnect_streams_are_told(place: Place, network: Network) -> None:
    """What waits longer than ``session.reconnect`` is reset; the link comes back all the same."""
    place.apply(objects.deployment("web"), *echo("echo"))
    place.write({"web": objects.idle()}, session={"reconnect": "1s"})
    place.ok("up", "-d")
    code = "import socket; s=socket.create_connection(('echo', 9000)); s.sendall(b'x'); "
    code += "print(s.recv(1), flush=True); s.recv(1)"
    waiting = subprocess.Popen(
        place.tp_command("run", "web", "--", sys.executable, "-c", code),
        cwd=place.folder,
        env=place.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "b'x'\n"
    network.cut(refuse=True)
    assert "ConnectionResetError" in waiting.communicate(timeout=60)[1]
    network.mend()
    eventually(lambda: place.status()["workloads"][0]["link"] == "up", place.log, timeout_s=40)
