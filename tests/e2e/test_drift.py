"""What others do while a session is up: noticed within a second, said in one line, treated."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place

RUN = {"command": "sleep 600"}


@pytest.fixture
def shop(place: Place) -> Place:
    """A Deployment of two behind a Service."""
    place.apply(objects.deployment("web", replicas=2), objects.service("web"))
    place.write(
        {"web": {"target": "deployment/web", "expose": [], "run": RUN}}, session={"janitor": "off"}
    )
    return place


@pytest.fixture
def program(shop: Place) -> subprocess.Popen[bytes]:
    """The session, up."""
    found = shop.start("up")
    eventually(lambda: "up after" in shop.log(), "not up", timeout_s=60)
    return found


def says(place: Place, text: str, *, within_s: float = 30) -> None:
    """Expect a line."""
    eventually(lambda: text in place.log(), f"nobody said: {text}", timeout_s=within_s)


def ends_well(place: Place, program: subprocess.Popen[bytes]) -> None:
    """End the session, and expect that nothing is left."""
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 0, place.log()
    place.nothing_left()


def replicas(place: Place) -> int:
    return int(place.get("deployment", "web")["spec"]["replicas"])


def test_whoever_scales_up_twice_is_left_alone(
    shop: Place, program: subprocess.Popen[bytes]
) -> None:
    """Stopped again once; then said who insists, shown by ``status``, and restored as ever."""
    shop.kubectl("scale", "deployment/web", "--replicas=1")
    says(shop, "deployment/web was scaled to 1 by kubectl: stopped again")
    eventually(lambda: replicas(shop) == 0, "not stopped again")
    time.sleep(1)
    shop.kubectl("scale", "deployment/web", "--replicas=3")
    says(shop, "deployment/web was scaled to 3 by kubectl again: left alone")
    time.sleep(2)
    assert replicas(shop) == 3
    status = json.loads(shop.ok("status", "--json"))
    assert status["workloads"][0]["traffic"] == "here and original (by kubectl)"
    ends_well(shop, program)
    assert replicas(shop) == 2


def test_an_edited_template_is_cloned_anew(shop: Place, program: subprocess.Popen[bytes]) -> None:
    """A new agent with the new variable; down keeps the edit and brings the recorded count."""
    shop.kubectl("set", "env", "deployment/web", "EDITED=yes")
    says(shop, "the pod template of deployment/web was edited by kubectl-set")
    eventually(
        lambda: [one for one in shop.get_list("pods") if "EDITED" in json.dumps(one["spec"])],
        "no new agent",
    )
    eventually(lambda: len(shop.get_list("pods")) == 1, "the old agent stays", timeout_s=60)
    ends_well(shop, program)
    web = shop.get("deployment", "web")
    assert web["spec"]["replicas"] == 2
    assert "EDITED" in json.dumps(web["spec"]["template"])


def test_a_deleted_lease_is_written_again(shop: Place, program: subprocess.Popen[bytes]) -> None:
    """With the same id, and what hung on it: Secret and agent."""
    first = shop.get_list("leases")[0]["metadata"]
    shop.kubectl("delete", "lease", first["name"])
    says(shop, "had vanished: written again")
    eventually(lambda: shop.get_list("leases"), "no lease")
    assert shop.get_list("leases")[0]["metadata"]["name"] == first["name"]
    eventually(
        lambda: (
            [one for one in shop.get_list("secrets") if one["metadata"]["uid"]]
            and json.loads(shop.ok("status", "--json"))["workloads"][0]["link"] == "up"
            and all("deletionTimestamp" not in one["metadata"] for one in shop.get_list("pods"))
        ),
        "not whole again",
        timeout_s=40,
    )
    assert replicas(shop) == 0
    ends_well(shop, program)
    assert replicas(shop) == 2


def test_a_label_that_was_taken_off_loses_no_way_back(
    shop: Place, program: subprocess.Popen[bytes]
) -> None:
    """Claimed again with the first recorded count, whatever is there today."""
    notes = ("restore", "was", "held-by")
    shop.kubectl("annotate", "deployment/web", *(f"tpconfig.dev/{one}-" for one in notes))
    shop.kubectl("label", "deployment/web", "tpconfig.dev/session-")
    says(shop, "our claim on deployment/web was taken off")
    eventually(lambda: shop.get_list("deployments"), "not claimed")
    ends_well(shop, program)
    assert replicas(shop) == 2


@pytest.mark.parametrize("how", ["deleted", "selector"])
def test_a_service_that_calls_no_more_is_said(
    shop: Place, program: subprocess.Popen[bytes], how: str
) -> None:
    """And nothing is created that was not ours."""
    if how == "deleted":
        shop.kubectl("delete", "service", "web")
        says(shop, "service web was deleted")
        assert "web" not in shop.kubectl("get", "services", "-o", "name")
    else:
        patch = json.dumps({"spec": {"selector": {"app": "other"}}})
        shop.kubectl("patch", "service", "web", "-p", patch)
        says(shop, "the selector of service web was changed by kubectl-patch")
    ends_well(shop, program)


def test_a_deleted_workload_ends_its_part(shop: Place, program: subprocess.Popen[bytes]) -> None:
    """Said, and exit 1 in the end."""
    shop.kubectl("delete", "deployment", "web")
    says(shop, "deployment/web was deleted: web ends")
    assert program.wait(timeout=60) == 1, shop.log()
    shop.nothing_left()


def test_a_deleted_namespace_ends_the_session(
    shop: Place, program: subprocess.Popen[bytes]
) -> None:
    """Without a traceback and without waiting for what cannot come."""
    shop.kubectl("delete", "namespace", shop.namespace, "--wait=false")
    assert program.wait(timeout=60) == 1, shop.log()
    assert "bug in tp" not in shop.log()
