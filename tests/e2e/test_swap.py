"""The main path: a Deployment swapped for a local process, and put back exactly."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.place import DEMO, OURS, Place, eventually

SEEDS = int(os.environ.get("TP_E2E_SEEDS", "3"))


def local(port: int = 3000, **env: str) -> dict[str, Any]:
    """Return a workload that swaps ``web`` for the demo application here."""
    return {
        "target": "deployment/web",
        "expose": [f"{port}:http"],
        "env": {"set": {"PORT": str(port), "SERVED_BY": "here", "DRAIN": "0", **env}},
        "run": {"command": [sys.executable, str(DEMO)]},
    }


def look_from_another_session(shop: Place) -> None:
    """Make the file one of another session, about another Deployment of the namespace."""
    shop.write(
        {"other": {"target": "deployment/other", "run": {"command": "sleep 1"}}}, name="next"
    )


@pytest.fixture
def shop(place: Place) -> Place:
    """Two replicas of ``web`` behind a Service, another Service, and a client."""
    place.apply(
        objects.deployment("web", replicas=2),
        objects.service("web"),
        objects.deployment("other"),
        objects.service("other"),
        objects.client(),
    )
    place.write({"web": local()})
    return place


def test_requests_come_here_and_go_back(shop: Place) -> None:
    """All of 100 requests come here while swapped, and are the cluster's afterwards."""
    before = shop.exact("web")
    shop.ok("up", "-d")
    shop.settled("web")
    counted = shop.load("http://web")
    assert (counted["failed"], counted["served_by"]) == (0, {"here": 100})
    shop.ok("down")
    counted = shop.load("http://web")
    assert (counted["failed"], counted["served_by"]) == (0, {"web": 100})
    assert shop.exact("web") == before
    shop.nothing_left()


def test_no_request_is_lost(shop: Place) -> None:
    """Nothing of 50 requests a second fails while ``up`` and while ``down`` run."""
    for command in (("up", "-d"), ("down",)):
        load = shop.start_load("http://web", rate=50, seconds=22)
        time.sleep(1.5)
        shop.ok(*command)
        out, err = load.communicate(timeout=60)
        counted = json.loads(out or "{}")
        assert counted.get("failed") == 0, (command, counted, err)


def test_an_application_that_exits_at_once_loses_no_more_than_by_a_rollout(place: Place) -> None:
    """The original's own way to end is its own affair: a rollout of it is the measure."""
    hasty = [{"name": "DRAIN", "value": "0"}]
    place.apply(
        objects.deployment("web", replicas=2, env=hasty), objects.service("web"), objects.client()
    )
    place.write({"web": local()})
    lost = {}
    for name in ("rollout", "up"):
        load = place.start_load("http://web", rate=50, seconds=14)
        time.sleep(1)
        if name == "rollout":
            place.kubectl("rollout", "restart", "deployment/web")
            place.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        else:
            place.ok("up", "-d")
        lost[name] = json.loads(load.communicate(timeout=60)[0])["failed"]
    # One run of each: the share of requests that meet a Pod as it goes is chance.
    assert lost["up"] <= 1.5 * lost["rollout"] + 5, lost


def test_the_field_belongs_to_its_owner_again(place: Place) -> None:
    """A team's server-side apply of other replicas meets no conflict after ``down``."""
    place.apply(objects.service("web"))
    wanted = objects.deployment("web", replicas=2)
    apply = ("apply", "--server-side", "--field-manager=team", "-f", "-")
    place.kubectl(*apply, given=json.dumps(wanted))
    place.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    place.write({"web": local()})
    place.ok("up", "-d")
    place.ok("down")
    wanted["spec"]["replicas"] = 3
    place.kubectl(*apply, given=json.dumps(wanted))
    managers = {
        one["manager"]
        for one in json.loads(
            place.kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields")
        )["metadata"]["managedFields"]
    }
    assert "tp" not in managers


def test_the_second_up_changes_nothing(shop: Place) -> None:
    """The plan is pending before, empty while up, and a second ``up`` ends well at once."""
    assert shop.tp("plan", "--exit-code").returncode == 4
    shop.ok("up", "-d")
    version = shop.get("deployment", "web")["metadata"]["resourceVersion"]
    assert shop.tp("plan", "--exit-code").returncode == 0
    shop.ok("up", "-d")
    assert shop.get("deployment", "web")["metadata"]["resourceVersion"] >= version
    assert len(shop.get_list("pods")) == 1
    assert json.loads(shop.ok("status", "--json"))["workloads"][0]["traffic"] == "here"


def test_ctrl_c_of_a_running_session_restores(shop: Place) -> None:
    """It is how one ends it: everything is put back and the exit code is 0."""
    before = shop.exact("web")
    program = shop.start("up")
    eventually(lambda: "up after" in shop.log(), "not up", timeout_s=60)
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 0, shop.log()
    assert shop.exact("web") == before
    shop.nothing_left()


def test_ctrl_c_while_starting_undoes(shop: Place) -> None:
    """Interrupted after the claim: all of it is undone, exit 130."""
    before = shop.exact("web")
    shop.write({"web": {**local(), "run": {"command": "sleep 60"}}})
    program = shop.start("up")
    eventually(lambda: "✓ connect" in shop.log(), "not connected", timeout_s=60)
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 130, shop.log()
    assert shop.exact("web") == before
    shop.nothing_left()


@pytest.mark.parametrize("whole", [False, True], ids=["alone", "all"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_at_any_moment(shop: Place, tmp_path: Path, seed: int, whole: bool) -> None:
    """After SIGKILL, ``down`` from another folder with a copy of the file restores exactly."""
    before = shop.exact("web")
    program = shop.start("up")
    time.sleep(random.Random(seed * 2 + whole).uniform(0.5, 4.0))
    if whole:
        os.killpg(program.pid, signal.SIGKILL)
    else:
        program.kill()
    program.wait()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(shop.folder / "telepresence.yaml", elsewhere)
    shop.ok("down", cwd=elsewhere)
    assert shop.exact("web") == before
    shop.nothing_left()


def test_an_expired_session_is_restored_by_the_next_command(shop: Place) -> None:
    """Whoever looks at the namespace puts back what a dead session left."""
    before = shop.exact("web")
    shop.write({"web": local()}, session={"ttl": "10s"})
    program = shop.start("up")
    eventually(lambda: "up after" in shop.log(), "not up", timeout_s=60)
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    time.sleep(11)
    shop.write(
        {"other": {"target": "deployment/other", "run": {"command": "sleep 1"}}}, name="next"
    )
    done = shop.tp("plan")
    assert "put back" in done.stderr, done.stderr
    assert shop.exact("web") == before
    shop.nothing_left()


def test_a_session_without_lease_is_restored_by_the_next_command(shop: Place) -> None:
    """The journal is on the object itself: the Lease is not needed to find the way back."""
    before = shop.exact("web")
    program = shop.start("up")
    eventually(lambda: "up after" in shop.log(), "not up", timeout_s=60)
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    shop.kubectl("delete", "lease", "-l", OURS)
    shop.write(
        {"other": {"target": "deployment/other", "run": {"command": "sleep 1"}}}, name="next"
    )
    shop.ok("plan")
    assert shop.exact("web") == before


def test_a_deleted_agent_is_replaced(shop: Place) -> None:
    """The local process stays; a new agent takes the place of a Pod that was deleted."""
    shop.ok("up", "-d")
    first = shop.get_list("pods")[0]["metadata"]["name"]
    shop.kubectl("delete", "pod", first, "--grace-period=1")
    eventually(
        lambda: [
            one
            for one in shop.get_list("pods")
            if one["metadata"]["name"] != first and "deletionTimestamp" not in one["metadata"]
        ],
        "no new agent",
    )
    eventually(lambda: shop.load("http://web", seconds=0.2)["failed"] == 0, "no traffic")
    assert shop.load("http://web", seconds=1)["served_by"] == {"here": 50}
