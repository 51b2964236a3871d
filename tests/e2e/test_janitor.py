"""The laptop is gone, and nobody does anything: the cluster heals by itself."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.e2e import accounts, objects
from tests.e2e.cutting import network_of
from tests.e2e.namespace import eventually
from tests.e2e.place import Place

RUN = {"command": "sleep 600"}
SEEDS = int(os.environ.get("TP_E2E_SEEDS", "1"))
TTL_S = 10
AT_MOST_S = TTL_S + 5


@pytest.fixture
def shop(place: Place) -> Place:
    """A Deployment of two behind a Service, and a file with the shortest ttl."""
    place.apply(objects.deployment("web", replicas=2), objects.service("web"))
    write(place)
    return place


def write(place: Place, **session: str) -> None:
    """Write the file."""
    times = {"ttl": f"{TTL_S}s", **session}
    place.write({"web": {"target": "deployment/web", "expose": [], "run": RUN}}, session=times)


def up(place: Place, *options: str) -> subprocess.Popen[bytes]:
    """Bring it up in the background, and wait until the janitor has read the Lease."""
    program = place.start("up", *options)
    eventually(lambda: "up after" in place.log(), "not up", timeout_s=60)
    eventually(lambda: "tpconfig.dev/janitor" in notes(place), "no janitor", timeout_s=30)
    return program


def notes(place: Place) -> dict[str, str]:
    """Return the annotations of the session's Lease."""
    leases = place.get_list("leases")
    return leases[0]["metadata"].get("annotations", {}) if leases else {}


def kill(program: subprocess.Popen[bytes]) -> float:
    """Kill everything of it at once; return when."""
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    return time.monotonic()


def replicas(place: Place) -> int:
    return int(place.get("deployment", "web")["spec"]["replicas"])


def ready(place: Place) -> Callable[[], bool]:
    """Tell whether both originals are asked to run."""
    return lambda: replicas(place) == 2


def test_the_cluster_heals_without_anybody(
    shop: Place, record_property: Callable[[str, object], None]
) -> None:
    """SIGKILL of everything: traffic back within ttl + 5 s, then nothing of ours is left."""
    write(shop, reconnect="10s")
    before = shop.exact("web")
    gone_s = kill(up(shop))
    assert replicas(shop) == 0
    eventually(ready(shop), "not given back", timeout_s=AT_MOST_S)
    record_property("given_back_s", round(time.monotonic() - gone_s, 1))
    eventually(lambda: shop.exact("web") == before, "the journal is left", timeout_s=AT_MOST_S)
    shop.nothing_left()
    assert shop.exact("web") == before


@pytest.mark.parametrize("how", ["stopped", "cut"])
def test_a_laptop_that_falls_silent_loses_its_callers_too(
    shop: Place, how: str, record_property: Callable[[str, object], None]
) -> None:
    """No connection ends; within ttl + 5 s the originals have all the traffic, the agent none."""
    shop.write({"web": objects.swap(3000)}, session={"ttl": f"{TTL_S}s"})
    with network_of(shop) as network:
        up(shop)
        shop.settled("web")
        (agent,) = shop.agents()
        assert callers_go_to(shop) == {agent["metadata"]["name"]}
        gone_s = time.monotonic()
        if how == "cut":
            network.black_hole()
        else:
            for pid in shop.processes():
                os.kill(pid, signal.SIGSTOP)
        eventually(
            lambda: agent["metadata"]["name"] not in callers_go_to(shop),
            "the agent still has callers",
            timeout_s=AT_MOST_S,
        )
        record_property("agent_without_callers_s", round(time.monotonic() - gone_s, 1))
        eventually(lambda: len(callers_go_to(shop)) == 2, "not given back", timeout_s=AT_MOST_S)
        record_property("originals_have_them_s", round(time.monotonic() - gone_s, 1))


def callers_go_to(place: Place) -> set[str]:
    """Return the Pods that the Service sends its callers to."""
    selector = "kubernetes.io/service-name=web"
    return {
        endpoint["targetRef"]["name"]
        for one in place.get_list("endpointslices", selector=selector)
        for endpoint in one.get("endpoints") or ()
        if endpoint["conditions"]["ready"]
    }


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_at_any_moment_the_janitor_restores(shop: Place, seed: int) -> None:
    """Wherever ``up`` was, nobody has to do anything."""
    write(shop, reconnect="10s")
    before = shop.exact("web")
    program = shop.start("up")
    time.sleep(random.Random(seed).uniform(0.5, 4.0))
    kill(program)
    eventually(
        lambda: shop.exact("web") == before and not shop.get_list("deployments"),
        "not as before",
        timeout_s=2 * AT_MOST_S,
    )


def test_a_janitor_that_was_restarted_heals_as_well(shop: Place) -> None:
    """Its successor counts anew, and gets there."""
    before = shop.exact("web")
    program = up(shop)
    kill(program)
    shop.kubectl("delete", "pod", "-l", "tpconfig.dev/janitor", "--grace-period=0", "--force")
    eventually(ready(shop), "not given back", timeout_s=AT_MOST_S + 10)
    eventually(
        lambda: shop.exact("web")["spec"] == before["spec"], "not restored", timeout_s=AT_MOST_S
    )


def test_a_session_that_comes_back_in_time_is_left_alone(shop: Place) -> None:
    """Silent for most of its ttl, and then again: nothing was touched."""
    program = up(shop)
    os.killpg(program.pid, signal.SIGSTOP)
    time.sleep(TTL_S * 0.6)
    os.killpg(program.pid, signal.SIGCONT)
    time.sleep(TTL_S * 0.6)
    assert replicas(shop) == 0
    assert "tpconfig.dev/given-back" not in notes(shop)


def test_a_session_that_comes_back_late_plans_again(shop: Place) -> None:
    """Silent for longer, it says what happened, and takes over the agent that waited for it."""
    program = up(shop)
    agent = shop.get_list("pods")[0]["metadata"]["name"]
    os.killpg(program.pid, signal.SIGSTOP)
    eventually(ready(shop), "not given back", timeout_s=AT_MOST_S + 5)
    os.killpg(program.pid, signal.SIGCONT)
    eventually(lambda: replicas(shop) == 0, "not taken over again", timeout_s=20)
    assert "over again" in shop.log()
    assert shop.get_list("pods")[0]["metadata"]["name"] == agent
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 0, shop.log()
    shop.nothing_left()


def test_in_a_restricted_namespace_the_janitor_runs(shop: Place) -> None:
    """It needs no privilege at all."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    shop.kubectl("label", "namespace", shop.namespace, label)
    shop.kubectl("delete", "deployment", "web")
    web = objects.deployment("web", replicas=0)
    spec = web["spec"]["template"]["spec"]
    seccomp = {"type": "RuntimeDefault"}
    spec["securityContext"] = {"runAsNonRoot": True, "runAsUser": 7, "seccompProfile": seccomp}
    spec["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    shop.apply(web)
    write(shop, janitor="required")
    shop.ok("up", "-d")
    assert "tpconfig.dev/janitor" in notes(shop)


def test_stock_edit_goes_on_without_and_says_so(shop: Place) -> None:
    """``auto``: the plan tells; ``required``: exit 6 and nothing changed."""
    editor = accounts.with_stock_role(shop, "edit")
    done = shop.tp("plan", "--kubeconfig", editor)
    assert done.returncode == 0, done.stderr
    assert "note: no janitor in namespace" in done.stdout + done.stderr
    write(shop, janitor="required")
    done = shop.tp("up", "--kubeconfig", editor)
    assert done.returncode == 6, done.stderr
    assert "tp rbac --janitor" in done.stderr
    assert not shop.get_list("leases")


def test_an_administrator_prepares_the_namespace_once(shop: Place) -> None:
    """With ``tp rbac --janitor`` applied, stock ``edit`` has a janitor that heals."""
    roles = shop.ok("rbac", "--janitor", "-n", shop.namespace)
    shop.kubectl("apply", "-f", "-", given=roles)
    write(shop, janitor="required", reconnect="10s")
    before = shop.exact("web")
    kill(up(shop, "--kubeconfig", accounts.with_stock_role(shop, "edit")))
    eventually(ready(shop), "not given back", timeout_s=AT_MOST_S)
    eventually(lambda: shop.exact("web") == before, "the journal is left", timeout_s=AT_MOST_S)


def test_the_printed_role_is_enough(shop: Place) -> None:
    """A user with just that Role swaps, has a janitor of its own, and restores."""
    roles = json.loads(shop.ok("rbac", "--json"))["items"]
    mine = ("--kubeconfig", accounts.with_rules(shop, roles[0]["rules"]))
    before = shop.exact("web")
    write(shop, janitor="required")
    shop.ok("up", "-d", *mine)
    shop.ok("down", *mine)
    assert shop.exact("web") == before
    shop.nothing_left()
