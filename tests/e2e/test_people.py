"""Who may use it: ordinary users, restricted namespaces, few permissions."""

from __future__ import annotations

import pytest

from tests.e2e import accounts, objects
from tests.e2e.place import Place

RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
PARTS = 3


@pytest.fixture
def shop(place: Place) -> Place:
    """A Deployment behind a Service, and a client."""
    place.apply(objects.service("web"), objects.deployment("web"), objects.client())
    place.write({"web": objects.swap(3000)})
    return place


def goes_up_and_down(place: Place, *options: str) -> None:
    """Expect that somebody can swap, use and restore."""
    before = place.exact("web")
    place.ok("up", "-d", *options)
    place.settled("web")
    assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
    place.ok("run", "web", "--", "curl", "-sm", "9", "-o", "/dev/null", "http://web")
    place.ok("down", *options)
    assert place.exact("web") == before
    place.nothing_left()


def test_as_an_ordinary_user(ordinary_place: Place) -> None:
    """No root and no sudo on this machine; ports below 1024 and datagrams included."""
    place = ordinary_place
    web = objects.deployment("web")
    place.apply(objects.service("web"), web, objects.client())
    workload = objects.swap(80, UDP_PORT="500")
    place.write({"web": {**workload, "expose": ["80:http", "500:500/udp"]}})
    place.ok("up", "-d")
    status = place.ok("run", "web", "--", "cat", "/proc/self/status")
    uids = next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))
    assert set(uids) == {str(place.person.uid or uids[0])}
    capable = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    assert place.person.uid is None or int(capable, 16) == 0
    place.ok("down")
    goes_up_and_down(place)
    assert place.processes() == []


def test_with_the_stock_edit_role(shop: Place) -> None:
    """Whoever may edit a namespace may use it; nothing is installed in the cluster."""
    goes_up_and_down(shop, "--kubeconfig", accounts.with_stock_role(shop, "edit"))


def test_with_exactly_the_verbs_of_the_plan(shop: Place) -> None:
    """The plan's list is complete."""
    rules = accounts.merged(accounts.rules_of_plan(shop))
    goes_up_and_down(shop, "--kubeconfig", accounts.with_rules(shop, rules))


def test_the_stock_view_role_is_refused(shop: Place) -> None:
    """Who may look but not touch is told which verb is missing."""
    before = shop.contents()
    done = shop.tp("up", "--kubeconfig", accounts.with_stock_role(shop, "view"))
    assert done.returncode == 6, done.stderr
    assert "list leases" in done.stderr
    assert {key: one for key, one in shop.contents().items() if key in before} == before


@pytest.mark.parametrize("part", range(PARTS))
def test_a_missing_verb_is_named_before_anything_is_touched(shop: Place, part: int) -> None:
    """For each verb of the plan: exit 6, the verb and its resource, and no change."""
    shop.write({"web": objects.swap(3000)}, session={"janitor": "required"})
    rules = accounts.rules_of_plan(shop)
    needed = {
        (rule["resources"][0], rule["verbs"][0]): accounts.with_rules(
            shop,
            accounts.merged([one for one in rules if one is not rule]),
            name=f"no-{number}",
        )
        for number, rule in enumerate(rules)
        if number % PARTS == part
    }
    before = shop.get("deployment", "web")["metadata"]["resourceVersion"]
    for (resource, verb), kubeconfig in needed.items():
        done = shop.tp("up", "-d", "--kubeconfig", kubeconfig)
        assert done.returncode == 6, (resource, verb, done.stderr)
        name, _, subresource = resource.partition("/")
        words = [verb, name, *([subresource] if subresource else [])]
        assert all(word in done.stderr for word in words), (resource, verb, done.stderr)
        assert shop.get("deployment", "web")["metadata"]["resourceVersion"] == before
        shop.nothing_left()


@pytest.mark.parametrize("uid", [12345, None], ids=["uid", "image-user"])
def test_in_a_restricted_namespace(place: Place, uid: int | None) -> None:
    """Any uid, a read-only root, no capability; ports below 1024 all the same."""
    place.kubectl("label", "namespace", place.namespace, RESTRICTED)
    web = objects.restricted(objects.deployment("web"), uid)
    if uid is None:
        web["spec"]["replicas"] = 0  # the demo image's own user is root: its Pods cannot start
    client = objects.restricted(objects.client())
    ports = [{"port": 80, "targetPort": "http"}, {"name": "low", "port": 443, "targetPort": 443}]
    place.apply(objects.service("web", ports=[{"name": "web", **ports[0]}, ports[1]]), web, client)
    before = place.exact("web")
    workload = objects.swap(3000, PORT="3000,3443")
    place.write({"web": {**workload, "expose": ["3000:http", "3443:443"]}})
    place.ok("up", "-d")
    place.settled("web")
    for url in ("http://web", "http://web:443"):
        assert place.load(url, seconds=0.2)["served_by"] == {"here": 10}
    security = place.agents()[0]["spec"]["containers"][0]["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    place.ok("down")
    assert place.exact("web") == before
    place.nothing_left()


def test_an_image_that_names_its_user_keeps_it(place: Place) -> None:
    """``runAsNonRoot`` without ``runAsUser``: the uid that the runtime reports, else one we say."""
    place.kubectl("label", "namespace", place.namespace, RESTRICTED)
    web = objects.restricted(objects.deployment("web", image=objects.PAUSE), None)
    del web["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    place.apply(web)
    pod = place.get_list("pods", selector="app=web")[0]
    user = pod["status"]["containerStatuses"][0].get("user")
    uid = user["linux"]["uid"] if user else 65532
    place.write({"web": objects.idle()})
    if user is None:
        assert "65532" in place.ok("plan")
    place.ok("up", "-d")
    assert place.agents()[0]["spec"]["containers"][0]["securityContext"]["runAsUser"] == uid
