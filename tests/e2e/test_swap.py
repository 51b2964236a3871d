"""The main path: a Deployment swapped for a local process, and put back exactly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.e2e import objects
from tests.e2e.load import Counts
from tests.e2e.namespace import eventually
from tests.e2e.place import Place, free_port

ROUNDS = 4
"""Which requests meet a Pod as it goes is chance: more rounds decide where one does not."""

CHANCE = 2.0
"""Equal chances differ by this in four rounds on a busy machine (73 and 60 of 1,500 were seen);
an original that is stopped before the nodes know of the agent loses five times a rollout's."""


@pytest.fixture
def shop(place: Place) -> Place:
    """Two replicas of ``web`` behind a Service whose port 80 goes to ``http``, and a client."""
    web = objects.deployment("web", replicas=2)
    place.apply(objects.service("web"), web, objects.client())
    place.write({"web": objects.swap(3000)})
    return place


def test_requests_come_here_and_go_back(shop: Place) -> None:
    """All of 100 requests come here while swapped, and are the cluster's afterwards."""
    before = shop.exact("web")
    shop.ok("up", "-d")
    session = shop.status()["session"]
    shop.settled("web")
    counted = shop.load("http://web")
    assert (counted["failed"], counted["served_by"]) == (0, {"here": 100})
    shop.ok("down")
    assert shop.exact("web") == before
    shop.nothing_left(session)
    counted = shop.load("http://web")
    assert (counted["failed"], counted["served_by"]) == (0, {"web": 100})
    assert shop.processes() == []


def test_no_request_is_lost(shop: Place) -> None:
    """Of 50 requests a second none fails while ``up`` runs, and none while ``down`` does."""
    for change, last in ((come_up, "here"), (go_down, "web")):
        counts = during(shop, change)
        assert counts.failed == 0, (change.__name__, counts)
        assert shop.load("http://web", seconds=0.2)["served_by"] == {last: 10}


def test_an_application_that_exits_at_once_loses_no_more_than_by_a_rollout(place: Place) -> None:
    """The original's own way to end is its own affair: a rollout of it is the measure."""
    hasty = [{"name": "DRAIN", "value": "0"}]
    place.apply(
        objects.deployment("web", replicas=2, env=hasty), objects.service("web"), objects.client()
    )
    place.write({"web": objects.swap(3000)})
    lost = {"roll_out": 0, "come_up": 0, "go_down": 0}
    for _ in range(ROUNDS):
        for change in (roll_out, come_up, go_down):
            lost[change.__name__] += during(place, change).failed
        if max(lost["come_up"], lost["go_down"]) <= lost["roll_out"]:
            break
    assert max(lost["come_up"], lost["go_down"]) <= CHANCE * lost["roll_out"], lost


def test_the_field_belongs_to_its_owner_again(place: Place) -> None:
    """A team's server-side apply of other replicas meets no conflict after ``down``."""
    place.apply(objects.service("web"))
    wanted = objects.deployment("web", replicas=2)
    apply = ("apply", "--server-side", "--field-manager=team", "-f", "-")
    place.kubectl(*apply, given=json.dumps(wanted))
    place.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    owners = managers_of_replicas(place)
    place.write({"web": objects.swap(3000)})
    place.ok("up", "-d")
    place.ok("down")
    assert managers_of_replicas(place) == owners
    wanted["spec"]["replicas"] = 3
    place.kubectl(*apply, given=json.dumps(wanted))
    assert place.get("deployment", "web")["spec"]["replicas"] == 3
    text = place.kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields")
    assert "tp" not in {one["manager"] for one in json.loads(text)["metadata"]["managedFields"]}


def test_a_deleted_agent_is_replaced(shop: Place) -> None:
    """The local process stays; a new agent takes the place of a Pod that was deleted."""
    shop.ok("up", "-d")
    first = shop.agents()[0]["metadata"]["name"]
    shop.settled("web")
    served = shop.load("http://web", seconds=0.2)["served_by"]
    assert served == {"here": 10}
    shop.kubectl("delete", "pod", first, "--grace-period=1")
    eventually(
        lambda: [one for one in shop.agents() if one["metadata"]["name"] != first], "no new agent"
    )
    eventually(lambda: shop.load("http://web", seconds=0.2)["failed"] == 0, "no traffic")
    assert shop.load("http://web", seconds=1)["served_by"] == {"here": 50}


def test_without_a_netns_the_machines_own_port_serves(place: Place) -> None:
    """``method: none`` needs nothing of the machine: traffic comes to its own localhost."""
    place.apply(objects.deployment("web"), objects.service("web"), objects.client())
    before = place.exact("web")
    port = free_port()
    place.write({"web": objects.swap(port)}, method="none")
    place.ok("up", "-d")
    place.settled("web")
    assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
    place.ok("down")
    assert place.exact("web") == before


def during(place: Place, change: Callable[[Place], None]) -> Counts:
    """Change something under a load of 50 requests a second; return what became of them."""
    eventually(lambda: place.load("http://web", seconds=0.5)["failed"] == 0, "requests fail before")
    load = place.start_load("http://web")
    change(place)
    time.sleep(1)
    return load.stop()


def come_up(place: Place) -> None:
    """Swap ``web``, and see the last of the original's Pods go."""
    place.ok("up", "-d")
    place.settled("web")


def go_down(place: Place) -> None:
    """Put ``web`` back, and see the last of the agent."""
    place.ok("down")
    eventually(lambda: not place.get_list("pods"), "the agent is left")


def roll_out(place: Place) -> None:
    """Have every Pod of ``web`` replaced, as a new image would, and see the last of them go."""
    replicas = place.get("deployment", "web")["spec"]["replicas"]
    place.kubectl("rollout", "restart", "deployment/web")
    place.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    pods = "app=web"
    eventually(lambda: len(place.get_list("pods", selector=pods)) == replicas, "Pods are left")


def managers_of_replicas(place: Place) -> set[tuple[str, str]]:
    """Return who owns ``spec.replicas``, and how."""
    text = place.kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields")
    return {
        (one["manager"], one["operation"])
        for one in json.loads(text)["metadata"]["managedFields"]
        if "f:replicas" in one["fieldsV1"].get("f:spec", {})
    }
