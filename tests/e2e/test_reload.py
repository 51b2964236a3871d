"""The file is saved, and the session follows: only what differs is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place

TICKS = 400
DOWNLOAD = f"""
import socket, time
from contextlib import suppress
server = socket.create_server(("", 9000))
print("on", flush=True)
while True:
    caller, _ = server.accept()
    with caller, suppress(OSError):  # whoever only looks whether somebody listens has gone
        for number in range({TICKS}):
            caller.sendall(b"%d\\n" % number)
            time.sleep(0.05)
"""
READ = "import socket; print(len(socket.create_connection(('slow', 9000)).makefile().readlines()))"


@pytest.fixture
def shop(place: Place) -> Place:
    """Two swapped Deployments of which one sends its callers something for a while."""
    slow = objects.deployment("slow")
    container = slow["spec"]["template"]["spec"]["containers"][0]
    container["ports"] = [{"name": "ticks", "containerPort": 9000}]
    del container["readinessProbe"]
    place.apply(
        objects.service("web"),
        objects.deployment("web"),
        objects.service("slow", ports=[{"port": 9000, "targetPort": 9000}]),
        slow,
        objects.client(),
    )
    return place


def slow() -> dict[str, Any]:
    """Return the workload that sends for a while."""
    command = [sys.executable, "-u", "-c", DOWNLOAD]
    return {"target": "deployment/slow", "expose": [9000], "run": {"command": command}}


def served_by(shop: Place, word: str) -> bool:
    """Say whether every answer comes from the process with this word."""
    return bool(shop.load("http://web", seconds=0.2)["served_by"] == {word: 10})


def test_a_saved_file_is_applied_and_the_rest_goes_on(shop: Place) -> None:
    """Port, environment and command of one workload change; a download from another goes on."""
    before = shop.exact("web")
    shop.write({"web": objects.swap(3000), "slow": slow()})
    shop.ok("up", "-d")
    shop.settled("web")
    shop.settled("slow")
    words = ["exec", "deploy/client", "--", objects.PYTHON, "-c", READ]
    download = subprocess.Popen(
        [*shop.kubectl_command(), *words], stdout=subprocess.PIPE, text=True
    )
    shop.write({"web": objects.swap(4000, SERVED_BY="again"), "slow": slow()})
    eventually(lambda: shop.load("http://web", seconds=0.2)["served_by"] == {"again": 10}, shop.log)
    shop.write({"slow": slow()})
    eventually(lambda: shop.exact("web") == before, "web is not given back")
    shop.write({"web": objects.swap(3000), "slow": slow()})
    eventually(lambda: len(shop.status()["workloads"]) == 2, "web does not come back")
    said, _ = download.communicate(timeout=60)
    assert said == f"{TICKS}\n"


def test_a_broken_file_changes_nothing(shop: Place) -> None:
    """The last good one goes on, the error is said with its line, the next good one counts."""
    file = shop.write({"web": objects.swap(3000)})
    shop.start_up()
    good = file.read_text()
    file.write_text(good.replace('"expose"', '"exposed"'))
    eventually(lambda: "goes on as it was" in shop.log(), shop.log)
    assert "telepresence.yaml:1:" in shop.log()
    assert "`exposed`" in shop.log()
    file.write_text(good.replace('"here"', '"again"'))
    eventually(lambda: "as the file says after" in shop.log(), shop.log)
    eventually(lambda: shop.load("http://web", seconds=0.2)["served_by"] == {"again": 10}, shop.log)


def test_an_included_file_is_followed(shop: Place) -> None:
    """One that is added while the session is up counts, also when it is made only afterwards."""
    shop.write({"web": objects.swap(3000)})
    shop.start_up()
    base = shop.folder / "base.yaml"
    shop.write({}, include=[base.name])
    eventually(lambda: "there is no file base.yaml" in shop.log(), shop.log)
    for word in ("first", "second"):
        base.write_text(json.dumps({"workloads": {"web": objects.swap(3000, SERVED_BY=word)}}))
        eventually(partial(served_by, shop, word), shop.log)


def test_what_a_session_is_known_by_cannot_change(shop: Place) -> None:
    """Another name would be another session: it is said, and nothing happens."""
    file = shop.write({"web": objects.swap(3000)})
    shop.start_up()
    file.write_text(file.read_text().replace(f'"name": "{shop.namespace}"', '"name": "another"'))
    eventually(lambda: "name cannot change while the session is up" in shop.log(), shop.log)
    assert shop.get("deployment", "web")["spec"]["replicas"] == 0


def test_without_watching_it_is_applied_when_asked(shop: Place) -> None:
    """``--no-watch`` leaves it to ``tp reload``, which says what it did."""
    shop.write({"web": objects.swap(3000)})
    shop.ok("up", "-d", "--no-watch")
    shop.write({"web": objects.swap(3000, SERVED_BY="again")})
    assert shop.tp("plan", "--exit-code").returncode == 4
    assert "start" in shop.ok("reload")
    assert "nothing to do" in shop.ok("reload")
    shop.settled("web")
    assert shop.load("http://web", seconds=0.2)["served_by"] == {"again": 10}
    shop.write({"web": {**objects.swap(3000), "target": "deployment/wep"}})
    done = shop.tp("reload")
    assert done.returncode == 2
    assert "did you mean" in done.stderr.lower()


def test_a_shell_goes_on_when_the_environment_changes(shop: Place) -> None:
    """What runs in the workload's world stays; the next command has the new environment."""
    file = shop.write({"web": {**objects.idle(), "env": {"set": {"WORD": "one"}}}})
    shop.ok("up", "-d")
    program = shop.start("run", "web", "--", "sh", "-c", "echo on; sleep 30; echo off")
    eventually(lambda: "on" in shop.log(), "it does not start")
    file.write_text(file.read_text().replace('"one"', '"two"'))
    eventually(lambda: "two" in shop.ok("run", "web", "--", "printenv", "WORD"), "not two")
    assert program.poll() is None
    assert program.wait(timeout=60) == 0
    assert "off" in shop.log()
