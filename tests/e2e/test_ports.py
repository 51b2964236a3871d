"""Exposed ports: other numbers, several, below 1024, datagrams, and Services of every kind."""

from __future__ import annotations

import sys
import urllib.request
from functools import partial

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place, free_port

ASK = """
import socket, sys
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.settimeout(10)
sock.connect((sys.argv[1], int(sys.argv[2])))
for text in sys.argv[3:]:
    sock.send(text.encode())
    print(sock.recv(65536).decode())
"""
ECHO = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as sock:
    sock.sendall(sys.argv[3].encode())
    sock.shutdown(socket.SHUT_WR)
    print(sock.makefile().read())
"""


def test_several_ports_arrive_each_at_its_own(place: Place) -> None:
    """Different numbers, a named one, and one below 1024 on the cluster's side."""
    web = objects.deployment("web")
    container = web["spec"]["template"]["spec"]["containers"][0]
    container["ports"] += [
        {"name": "low", "containerPort": 443},
        {"name": "echo", "containerPort": 9000},
    ]
    ports = [
        {"name": "web", "port": 80, "targetPort": "http"},
        {"name": "low", "port": 443, "targetPort": "low"},
        {"name": "echo", "port": 9000, "targetPort": 9000},
    ]
    place.apply(objects.service("web", ports=ports), web, objects.client())
    workload = objects.swap(3000, PORT="3000,3443", TCP_PORT="9000")
    place.write({"web": {**workload, "expose": ["3000:http", "3443:443", 9000]}})
    place.ok("up", "-d")
    place.settled("web")
    read = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read())"
    for url, port in (("http://web", 3000), ("http://web:443", 3443)):
        said = place.in_client(read, url)
        assert '"served_by": "here"' in said
        assert f'"port": {port}' in said
    assert place.in_client(ECHO, "web", "9000", "hello") == "hello\n"


def test_the_process_is_told_who_calls(place: Place) -> None:
    """With ``proxy_protocol`` the caller's own address comes in front of its bytes."""
    web = objects.deployment("web")
    web["spec"]["template"]["spec"]["containers"][0]["ports"] += [{"containerPort": 9000}]
    ports = [{"name": "echo", "port": 9000, "targetPort": 9000}]
    place.apply(objects.service("web", ports=ports), web, objects.client())
    workload = objects.swap(3000, TCP_PORT="9000")
    expose = [{"local": 9000, "cluster": 9000, "proxy_protocol": "v1"}]
    place.write({"web": {**workload, "expose": expose}})
    place.ok("up", "-d")
    place.settled("web")
    assert "9000:9000 (PROXY v1)" in place.ok("status")
    own = place.in_client("import socket; print(socket.gethostbyname(socket.gethostname()))")
    said = place.in_client(ECHO, "web", "9000", "hello")
    assert said.startswith(f"PROXY TCP4 {own.strip()} ")
    assert said.endswith(" 9000\nhello\n")


def test_the_process_is_on_this_machines_localhost(place: Place) -> None:
    """As if it had no network of its own: also what it does not expose; and no longer than it."""
    shown, unexposed = free_port(), free_port()
    place.apply(objects.deployment("web"), objects.service("web"))
    place.write({"web": objects.swap(shown, PORT=f"{shown},{unexposed}")})
    place.ok("up", "-d")
    for port in (shown, unexposed):
        eventually(partial(answers, port), f"nobody on {port}", timeout_s=20)
    place.ok("down")
    assert not answers(shown)


def answers(port: int) -> bool:
    """Tell whether the local process answers on this machine's localhost."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10) as answer:
            return b'"served_by": "here"' in answer.read()
    except OSError:
        return False


def test_datagrams_come_here_and_go_back(place: Place) -> None:
    """``53:53/udp``: a nameserver here answers the cluster, many datagrams of one caller."""
    web = objects.deployment("web")
    container = web["spec"]["template"]["spec"]["containers"][0]
    container["ports"] += [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]
    ports = [
        {"name": "web", "port": 80, "targetPort": "http"},
        {"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"},
    ]
    place.apply(objects.service("web", ports=ports), web, objects.client())
    workload = objects.swap(3000, UDP_PORT="53")
    place.write({"web": {**workload, "expose": ["3000:http", "53:53/udp"]}})
    place.ok("up", "-d")
    place.settled("web")
    texts = ("hello", "x" * 1400, "ü", "last")
    assert place.in_client(ASK, "web", "53", *texts).splitlines() == list(texts)


def test_without_expose_every_port_of_a_service_comes_here(place: Place) -> None:
    """Under its own number; a headless Service and a second one are served as well."""
    place.apply(
        objects.service("web"),
        objects.service("inner", clusterIP="None", selector={"app": "web"}),
        objects.deployment("web"),
        objects.client(),
    )
    workload = objects.swap(8080)
    del workload["expose"]
    place.write({"web": workload})
    place.ok("up", "-d")
    place.settled("web")
    for url in ("http://web", "http://inner:8080"):
        assert place.load(url, seconds=0.2)["served_by"] == {"here": 10}


def test_a_server_on_ipv6_loopback_is_found(place: Place) -> None:
    """Some servers listen on ``localhost`` in the one family only."""
    place.apply(objects.service("web"), objects.deployment("web"), objects.client())
    code = "import http.server as h, socket; h.HTTPServer.address_family = socket.AF_INET6; "
    code += "h.HTTPServer(('::1', 3000), h.SimpleHTTPRequestHandler).serve_forever()"
    workload = {**objects.swap(3000), "run": {"command": [sys.executable, "-c", code]}}
    place.write({"web": workload})
    place.ok("up", "-d")
    place.settled("web")
    assert place.load("http://web", seconds=0.2)["failed"] == 0
