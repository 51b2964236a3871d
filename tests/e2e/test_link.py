"""The link of a session whose connections to the API server are cut."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e import objects
from tests.e2e.cutting import Network, network_of
from tests.e2e.load import Load
from tests.e2e.namespace import eventually
from tests.e2e.place import Place, free_port

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
    place.settled("web")
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


def test_forwards_and_socks_lead_into_the_cluster(place: Place, network: Network) -> None:
    """Names are the cluster's, the original is left alone, and a cut is a pause."""
    port, proxy = free_port(), free_port()
    place.apply(objects.deployment("web"), *echo("echo"), objects.service("web"))
    before = place.get("deployment", "web")["spec"]
    place.write(
        {"web": objects.idle(mode="none")},
        forwards=[f"{port}:echo.{place.namespace}:{ECHO_PORT}"],
        socks=proxy,
    )
    assert f"127.0.0.1:{proxy} (SOCKS5)" in place.ok("plan")
    place.ok("up", "-d")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        for word in (b"before", b"behind"):
            sock.sendall(word)
            assert sock.recv(6) == word
            network.cut()
    with socket.create_connection(("127.0.0.1", proxy), timeout=30) as sock:
        sock.sendall(b"\5\1\0")
        assert sock.recv(2) == b"\5\0"
        sock.sendall(b"\5\1\0\3\3web\0\x50")
        assert sock.recv(10)[:2] == b"\5\0"
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200 OK" in sock.recv(1000)
    carried = f"127.0.0.1:{port} -> echo.{place.namespace}:{ECHO_PORT}  (over web)"
    assert carried in place.ok("status")
    assert place.get("deployment", "web")["spec"] == before
    place.ok("down")
    for one in (port, proxy):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", one))


def test_a_saved_forward_is_opened_by_the_next_up(place: Place) -> None:
    """Handed to the session that is up; the one that stays keeps its connection."""
    first, second = free_port(), free_port()
    place.apply(objects.deployment("web"), *echo("echo"))
    web = {"web": objects.idle(mode="none")}
    place.write(web, forwards=[f"{first}:echo:{ECHO_PORT}"])
    place.ok("up", "-d")
    with socket.create_connection(("127.0.0.1", first), timeout=30) as sock:
        place.write(web, forwards=[f"{first}:echo:{ECHO_PORT}", f"{second}:echo:{ECHO_PORT}"])
        place.ok("up", "-d")
        sock.sendall(b"stayed")
        assert sock.recv(6) == b"stayed"
    with socket.create_connection(("127.0.0.1", second), timeout=30) as sock:
        sock.sendall(b"new")
        assert sock.recv(3) == b"new"
