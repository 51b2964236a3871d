"""The process of a workload over a session: ready, restarted, watched, read; the cluster stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place, free_port


@pytest.fixture
def port() -> int:
    """A port of this machine that is free."""
    return free_port()


@pytest.fixture
def shop(place: Place, port: int) -> Place:
    """A workload whose process is watched, built, started again, and up."""
    place.apply(objects.deployment("web"), objects.service("web"), objects.client())
    (place.folder / "src").mkdir()
    (place.folder / "src" / "app").write_text("good\n")
    web = objects.swap(port)
    command = " ".join(web["run"]["command"])
    web["run"] = {
        "command": f"echo begins; exec {command}",
        "ready": {"http": f"http://localhost:{port}/healthz", "timeout": "60s"},
        "restart": "on-failure",
        "watch": ["src"],
        "build": "grep good src/app",
        "pre": ["echo before it"],
        "post": ["touch after"],
    }
    place.write({"web": web})
    place.ok("up", "-d")
    place.settled("web")
    return place


def process(place: Place) -> dict[str, Any]:
    """What ``tp ps`` says of it."""
    (one,) = json.loads(place.ok("ps", "--json"))
    return dict(one)


def said(place: Place, text: str) -> bool:
    """Whether the session's own log tells of it."""
    state = Path(place.environment()["TP_STATE_DIR"])
    return any(text in one.read_text() for one in state.glob("sessions/*/tp.jsonl"))


def served(place: Place) -> bool:
    """Whether callers in the cluster are answered here."""
    return bool(place.load("http://web", seconds=0.2)["served_by"] == {"here": 10})


def test_a_crashed_process_comes_back(shop: Place) -> None:
    """With its restarts counted, and its callers answered; the agent is the same."""
    first, agent = process(shop), shop.agents()[0]["metadata"]["uid"]
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: process(shop)["pid"] not in (None, first["pid"]), "not started again")
    assert process(shop)["restarts"] == 1
    eventually(lambda: served(shop), "not served")
    assert shop.agents()[0]["metadata"]["uid"] == agent
    assert said(shop, '"event": "ProcessRestarts"')


def test_a_saved_source_starts_it_again(shop: Place) -> None:
    """After a build that succeeds; a build that fails leaves the old process where it is."""
    first = process(shop)["pid"]
    (shop.folder / "src" / "app").write_text("bad\n")
    eventually(lambda: said(shop, "the old process stays"), "no failed build")
    assert process(shop)["pid"] == first
    (shop.folder / "src" / "app").write_text("good again\n")
    eventually(lambda: process(shop)["pid"] not in (None, first), "not started again")
    eventually(lambda: served(shop), "not served")
    told = shop.ok("events")
    assert "web: src/app changed: building" in told
    assert "the old process stays" in told


def test_it_is_stopped_and_started_by_name(shop: Place) -> None:
    """Its callers are refused meanwhile; the session and the swap stay."""
    assert shop.ok("stop", "web") == "web: stopped\n"
    assert process(shop)["process"] == "stopped"
    counted = shop.load("http://web", seconds=0.2)
    assert counted["failed"] == counted["sent"]
    assert shop.get("deployment", "web")["spec"]["replicas"] == 0
    assert shop.ok("start") == "web: started\n"
    assert served(shop)
    before = process(shop)["pid"]
    assert shop.ok("restart", "web") == "web: restarted\n"
    assert process(shop)["pid"] not in (None, before)
    wrong = shop.tp("restart", "wob")
    assert wrong.returncode == 2
    assert "no workload `wob` is up" in wrong.stderr


def test_a_caller_waits_for_the_process(place: Place, port: int) -> None:
    """``wait`` of a port: who calls while nobody listens is answered when somebody does."""
    place.apply(objects.deployment("web"), objects.service("web"), objects.client())
    web = objects.swap(port)
    web["expose"] = [{"local": port, "cluster": "http", "wait": "60s"}]
    place.write({"web": web})
    place.ok("up", "-d")
    place.settled("web")
    place.ok("stop", "web")
    code = "import urllib.request as u; print('calls', flush=True); "
    code += "print(u.urlopen('http://web', timeout=60).read().decode())"
    caller = subprocess.Popen(
        [*place.kubectl_command(), "exec", "deploy/client", "--", objects.PYTHON, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert caller.stdout is not None
    assert caller.stdout.readline() == "calls\n"
    place.ok("start", "web")
    assert json.loads(caller.communicate(timeout=60)[0])["served_by"] == "here"


def test_what_it_wrote_is_read_and_followed(shop: Place) -> None:
    """From the hook to the last line, by workload and count; following ends with the session."""
    lines = shop.ok("logs", "web").splitlines()
    assert [one.partition("| ")[2] for one in lines[:2]] == ["before it", "begins"]
    last = json.loads(shop.ok("logs", "--tail", "1", "--json"))
    assert (last["workload"], last["stream"]) == ("web", "stdout")
    following = subprocess.Popen(
        shop.tp_command("logs", "-f", "web"),
        cwd=shop.folder,
        env=shop.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    assert following.stdout.readline().endswith("| before it\n")
    assert following.stdout.readline().endswith("| begins\n")
    shop.ok("restart")
    while not following.stdout.readline().endswith("| begins\n"):
        assert following.poll() is None
    shop.ok("down")
    assert following.wait(timeout=60) == 0
    following.stdout.close()
    assert (shop.folder / "after").exists()
