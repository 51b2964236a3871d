"""The two demonstrations of the talk that the project started from, on a real terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place
from tests.e2e.terminal import Terminal

CTRL_C, CTRL_Z, CTRL_D = b"\x03", b"\x1a", b"\x04"

OpenTerminal = Callable[..., Terminal]


@pytest.fixture
def first(place: Place) -> Place:
    """What the first demonstration finds: an init container's file, a Secret, a Service."""
    qotm = objects.deployment("qotm", replicas=2, env=[{"name": "PORT", "value": "5000"}])
    container = qotm["spec"]["template"]["spec"]["containers"][0]
    container["ports"][0]["containerPort"] = 5000
    container["readinessProbe"]["httpGet"]["port"] = 5000
    secret = {"secretKeyRef": {"name": "keys", "key": "word"}}
    mounts = [{"name": "datum", "mountPath": "/data"}]
    env = [{"name": "SECRET", "valueFrom": secret}]
    test = objects.deployment("telepresence-test", env=env, volumeMounts=mounts)
    spec = test["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "datum", "emptyDir": {}}]
    writes = ["sh", "-c", "echo random > /data/string"]
    spec["initContainers"] = [
        {"name": "init", "image": objects.BASE, "command": writes, "volumeMounts": mounts}
    ]
    ports = [{"port": 5000, "targetPort": "http"}]
    place.apply(objects.secret("keys", {"word": "xyzzy"}), objects.service("qotm", ports=ports))
    place.apply(qotm, test)
    place.write({"test": {"target": "deployment/telepresence-test"}})
    return place


def test_the_first_demonstration(first: Place, open_terminal: OpenTerminal) -> None:
    """A shell in the cluster: the Secret is there, a Service answers by name, exit restores."""
    before = first.exact("telepresence-test")
    terminal = open_terminal(first, "up")
    terminal.read_until(r"\(tp test\)")
    assert terminal.answer("echo $SECRET") == "xyzzy"
    for _ in range(4):  # two replicas
        assert '"name": "qotm"' in terminal.answer("curl -sm 9 http://qotm:5000/")
    pod = first.agents()[0]["metadata"]["name"]
    assert first.kubectl("exec", pod, "--", "cat", "/data/string") == "random\n"
    assert first.get("deployment", "telepresence-test")["spec"]["replicas"] == 0
    terminal.type("exit")
    assert terminal.wait() == 0, terminal.text
    assert first.exact("telepresence-test") == before
    assert first.processes() == []
    first.nothing_left()


def test_the_shell_is_a_real_one(first: Place, open_terminal: OpenTerminal) -> None:
    """Job control, Ctrl-C for the child alone, the window's size, and Ctrl-D ends it."""
    terminal = open_terminal(first, "up")
    terminal.read_until(r"\(tp test\)")
    assert "/dev/pts/" in terminal.answer("tty")
    assert terminal.answer("stty size") == "24 80"
    terminal.resize(40, 132)
    assert terminal.answer("stty size") == "40 132"
    for key, says in ((CTRL_C, r"\(tp test\)"), (CTRL_Z, "Stopped")):
        terminal.type("sh -c 'echo o\"\"n; exec sleep 100'")
        terminal.read_until(r"(?m)^on\r?$")
        terminal.press(key)
        terminal.read_until(says)
        assert terminal.answer("echo $?") in ("130", "148")
    assert "sleep 100" in terminal.answer("jobs")
    terminal.answer("kill %1; fg")
    terminal.press(CTRL_D)
    assert terminal.wait() == 0, terminal.text
    first.nothing_left()


def test_the_second_demonstration(place: Place, open_terminal: OpenTerminal) -> None:
    """First a shell; the traffic moves when the server is started in it; an edit is seen live."""
    place.apply(objects.service("ui"), objects.deployment("ui"), objects.client())
    before = place.exact("ui")
    page = place.folder / "index.html"
    page.write_text("<h1>Apps</h1>")
    place.write({"ui": {"target": "deployment/ui", "expose": ["3000:8080"]}})
    load = partial(place.load, "http://ui", seconds=0.2)
    eventually(lambda: load()["failed"] == 0, "the original does not answer")
    terminal = open_terminal(place, "up")
    terminal.read_until(r"\(tp ui\)")
    assert place.load("http://ui", seconds=0.4)["served_by"] == {"ui": 20}
    assert place.get("deployment", "ui")["spec"]["replicas"] == 1
    terminal.type(f"{sys.executable} -m http.server 3000")
    place.settled("ui")
    get = "import urllib.request as r; print(r.urlopen('http://ui/index.html', timeout=9).read())"
    assert "<h1>Apps</h1>" in place.in_client(get)
    page.write_text("<h1>Live</h1>")
    assert "<h1>Live</h1>" in place.in_client(get)
    terminal.press(CTRL_C)
    terminal.read_until(r"\(tp ui\)")
    terminal.type("exit")
    assert terminal.wait() == 0, terminal.text
    assert place.exact("ui") == before
    eventually(lambda: place.load("http://ui", seconds=0.2)["failed"] == 0, "not back")
    assert place.load("http://ui", seconds=0.4)["served_by"] == {"ui": 20}


def test_now_moves_the_traffic_before_anybody_listens(
    place: Place, open_terminal: OpenTerminal
) -> None:
    """``--now``: callers wait for nobody; the original is stopped at once."""
    place.apply(objects.service("ui"), objects.deployment("ui"))
    place.write({"ui": {"target": "deployment/ui", "expose": ["3000:8080"]}})
    terminal = open_terminal(place, "up", "--now")
    terminal.read_until(r"\(tp ui\)")
    assert place.get("deployment", "ui")["spec"]["replicas"] == 0
    terminal.type("exit")
    assert terminal.wait() == 0, terminal.text


def test_run_keeps_the_terminal(place: Place, open_terminal: OpenTerminal) -> None:
    """``tp run`` gives the user's own terminal to the command, Ctrl-C included."""
    place.apply(objects.deployment("web"))
    place.write({"web": objects.idle()})
    place.ok("up", "-d")
    terminal = open_terminal(place, "run", "web", "--", "sh", "-c", "tty; stty size; sleep 100")
    terminal.read_until("24 80")
    assert "/dev/pts/" in terminal.text
    terminal.press(CTRL_C)
    assert terminal.wait() != 0
    assert place.status()["workloads"][0]["process"] == "running"


def test_ctrl_c_on_a_terminal_restores(place: Place, open_terminal: OpenTerminal) -> None:
    """With a ``run`` it reaches ``tp`` and its process at once; the exit code is 0 all the same."""
    place.apply(objects.service("web"), objects.deployment("web"))
    before = place.exact("web")
    place.write({"web": objects.swap(3000)})
    terminal = open_terminal(place, "up")
    terminal.read_until("up after")
    terminal.press(CTRL_C)
    assert terminal.wait() == 0, terminal.text
    assert place.exact("web") == before
    place.nothing_left()
