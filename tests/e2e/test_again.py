"""``tp up`` a second time, and every way to interrupt it."""

from __future__ import annotations

import json
import random
import signal
import time

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place


@pytest.fixture
def shop(place: Place) -> Place:
    """A Deployment behind a Service, and a file that swaps it."""
    place.apply(objects.service("web"), objects.deployment("web"))
    place.write({"web": objects.swap(3000)})
    return place


def test_the_second_up_changes_nothing(shop: Place) -> None:
    """The plan is pending before, empty while up, and a second ``up`` ends well at once."""
    assert shop.tp("plan", "--exit-code").returncode == 4
    shop.ok("up", "-d")
    shop.settled("web")
    deployment, agents, here = shop.exact("web"), shop.agents(), shop.processes()
    assert shop.tp("plan", "--exit-code").returncode == 0
    plan = json.loads(shop.ok("plan", "--json"))
    assert plan["actions"] == []
    again = shop.tp("up", "-d")
    assert (again.returncode, again.stdout) == (0, ""), again.stderr
    assert "nothing to do" in again.stderr
    assert shop.exact("web") == deployment
    assert [one["metadata"]["uid"] for one in shop.agents()] == [
        one["metadata"]["uid"] for one in agents
    ]
    eventually(lambda: shop.processes() == here, "another process stays")
    assert shop.status()["workloads"][0]["traffic"] == "here"


def test_plan_changes_nothing(shop: Place) -> None:
    """Looking leaves no trace, in the cluster or here, and says the same again."""
    before = shop.contents()
    assert shop.ok("plan") == shop.ok("plan")
    assert shop.contents() == before
    shop.nothing_left()
    assert shop.processes() == []


def test_down_of_nothing_is_no_error(shop: Place) -> None:
    """``tp down`` may be repeated."""
    before = shop.contents()
    shop.ok("down")
    shop.ok("up", "-d")
    shop.ok("down")
    shop.ok("down")
    assert set(shop.contents()) >= {one for one in before if not one.startswith("Pod/")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_of_a_running_session_restores(shop: Place, number: signal.Signals) -> None:
    """It is how one ends it: everything is put back and the exit code is 0."""
    before = shop.exact("web")
    program = shop.start_up()
    program.send_signal(number)
    assert program.wait(timeout=60) == 0, shop.log()
    assert shop.exact("web") == before
    assert shop.processes() == []
    shop.nothing_left()


@pytest.mark.parametrize("step", ["context", "✓ claim", "✓ connect", "✓ start"])
def test_ctrl_c_while_starting_undoes(shop: Place, step: str) -> None:
    """However far it had come, all of it is undone, and the exit code is 130."""
    before = shop.exact("web")
    if step == "✓ connect":
        shop.write({"web": {**objects.swap(3000), "run": {"command": "sleep 60"}}})
    program = shop.start("up")
    eventually(lambda: step in shop.log(), "not so far", timeout_s=60)
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 130, shop.log()
    assert shop.exact("web") == before
    assert shop.processes() == []
    shop.nothing_left()


@pytest.mark.parametrize("seed", range(2))
def test_ctrl_c_at_any_moment(shop: Place, seed: int) -> None:
    """Also before the first look at the cluster: nothing is left, and no bug is reported."""
    before = shop.exact("web")
    program = shop.start("up")
    time.sleep(random.Random(seed).uniform(0, 3))
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) in (0, 130, -signal.SIGINT), shop.log()
    assert "Traceback" not in shop.log()
    assert shop.exact("web") == before
    assert shop.processes() == []
    shop.nothing_left()


def test_ctrl_c_while_a_detached_session_starts_undoes(shop: Place) -> None:
    """The waiting ``tp up -d`` hands it on, and tells how it went."""
    before = shop.exact("web")
    shop.write({"web": {**objects.swap(3000), "run": {"command": "sleep 60"}}})
    program = shop.start("up", "-d")
    eventually(lambda: "✓ connect" in shop.log(), "not connected", timeout_s=60)
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 130, shop.log()
    assert shop.exact("web") == before
    assert shop.processes() == []
    shop.nothing_left()
