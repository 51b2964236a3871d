"""The plan: what it shows, and that a plan that was written down is done exactly or not at all."""

from __future__ import annotations

import json
import sys

import pytest

from tests.e2e import objects
from tests.e2e.place import Place

WEB = {
    "target": "deployment/web",
    "expose": ["3000:http"],
    "env": {"set": {"PORT": "3000", "SERVED_BY": "here", "DRAIN": "0"}},
    "run": {"command": [sys.executable, str(objects.HERE)]},
}


@pytest.fixture
def shop(place: Place) -> Place:
    """Two replicas of ``web`` behind a Service."""
    place.apply(objects.deployment("web", replicas=2), objects.service("web"))
    place.write({"web": WEB})
    return place


def test_a_plan_shows_each_field_old_and_new(shop: Place) -> None:
    """The count, our label, and the container's image; the same text each time."""
    text = shop.ok("plan")
    assert "spec.replicas: 2 -> 0" in text
    assert f"spec.containers[web].image: {objects.DEMO_IMAGE} -> {objects.BASE}" in text
    assert "metadata.labels[tpconfig.dev/session]: (none) -> " in text
    assert shop.ok("plan") == text


def test_a_plan_that_was_written_down_is_done(shop: Place) -> None:
    """From any folder; when it is done, the same plan is refused, and so is an older one."""
    before = shop.exact("web")
    shop.ok("plan", "-o", "first.json")
    shop.ok("up", "-d", "--plan", str(shop.folder / "first.json"), cwd=shop.home)
    assert shop.get("deployment", "web")["spec"]["replicas"] == 0
    done = shop.tp("up", "-d", "--plan", "first.json")
    assert done.returncode == 5, done.stderr
    assert "no longer: ClaimTarget" in done.stderr
    assert len(shop.agents()) == 1
    shop.ok("down")
    assert shop.exact("web") == before


@pytest.mark.parametrize("moved", ["cluster", "file"])
def test_a_plan_is_refused_when_the_world_moved(shop: Place, moved: str) -> None:
    """Somebody scaled the workload, or edited the file: exit 5, and nothing was touched."""
    shop.ok("plan", "-o", "plan.json")
    if moved == "cluster":
        shop.kubectl("scale", "deployment/web", "--replicas=3")
        said = "replicas 2 -> 3"
    else:
        shop.write({"web": {**WEB, "expose": ["3001:http"]}})
        said = "Connect"
    version = shop.exact("web")
    done = shop.tp("up", "-d", "--plan", "plan.json")
    assert done.returncode == 5, done.stderr
    assert said in done.stderr
    assert shop.exact("web") == version
    shop.nothing_left()


def test_nothing_can_be_added_to_a_plan(shop: Place) -> None:
    """Neither names nor another namespace: exit 2."""
    shop.ok("plan", "-o", "plan.json")
    for more in (["web"], ["-n", "other"], ["--now"]):
        assert shop.tp("up", "--plan", "plan.json", *more).returncode == 2


def test_a_plan_for_programs_is_the_schemas(shop: Place) -> None:
    """Its actions in order, each with its fields."""
    found = json.loads(shop.ok("plan", "--json"))
    assert [one["action"] for one in found["actions"]][:2] == ["OpenSession", "GuardTargets"]
    (stop,) = [one for one in found["actions"] if one["action"] == "StopOriginal"]
    assert stop["changes"] == [{"field": "spec.replicas", "before": 2, "after": 0}]
