"""Who may use it: ordinary users, restricted namespaces, few permissions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.place import ROOT, Place

RUN = {"command": "sleep 600"}
RBAC = "rbac.authorization.k8s.io"


def as_account(place: Place, rules: list[dict[str, Any]] | None, to: Path) -> str:
    """Return the kubeconfig of a service account with these rules, else with stock ``edit``."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dev"}}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "dev"}, "rules": rules}
    kind = "ClusterRole" if rules is None else "Role"
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "dev"},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": "edit" if rules is None else "dev"},
        "subjects": [{"kind": "ServiceAccount", "name": "dev", "namespace": place.namespace}],
    }
    place.apply(account, binding, *([role] if rules is not None else []))
    token = place.kubectl("create", "token", "dev").strip()
    config = json.loads(place.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    to.write_text(json.dumps(config))
    return str(to)


def rules_of(place: Place) -> list[dict[str, Any]]:
    """Return the Role that ``tp plan`` lists."""
    plan = json.loads(place.ok("plan", "--json"))
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in plan["permissions"]:
        name = f"{one['resource']}/{one['subresource']}" if one["subresource"] else one["resource"]
        found[one["group"], name].add(one["verb"])
    return [
        {"apiGroups": [group], "resources": [name], "verbs": sorted(verbs)}
        for (group, name), verbs in found.items()
    ]


@pytest.fixture
def shop(place: Place) -> Place:
    """A Deployment behind a Service."""
    place.apply(objects.deployment("web"), objects.service("web"))
    place.write({"web": {"target": "deployment/web", "expose": [], "run": RUN}})
    return place


def goes_up_and_down(place: Place, kubeconfig: str) -> None:
    """Expect that a user can swap and restore."""
    before = place.exact("web")
    mine = ("--kubeconfig", kubeconfig)
    place.ok("up", "-d", *mine)
    assert place.get_list("pods")
    place.ok("run", "web", "--", "curl", "-sm", "5", "-k", "https://kubernetes.default")
    place.ok("down", *mine)
    assert place.exact("web") == before
    place.nothing_left()


def test_with_the_stock_edit_role(shop: Place, tmp_path: Path) -> None:
    """Whoever may edit a namespace may use it; nothing is installed in the cluster."""
    goes_up_and_down(shop, as_account(shop, None, tmp_path / "edit"))


def test_with_exactly_the_verbs_of_the_plan(shop: Place, tmp_path: Path) -> None:
    """The plan's list is complete."""
    goes_up_and_down(shop, as_account(shop, rules_of(shop), tmp_path / "exact"))


@pytest.mark.parametrize(
    ("resource", "verb"), [("pods", "create"), ("pods/portforward", "create"), ("leases", "patch")]
)
def test_a_missing_verb_is_named_before_anything_is_touched(
    shop: Place, tmp_path: Path, resource: str, verb: str
) -> None:
    """Exit 6, the verb, and no change."""
    rules = rules_of(shop)
    for rule in rules:
        if rule["resources"] == [resource]:
            rule["verbs"].remove(verb)
    before = shop.get("deployment", "web")["metadata"]["resourceVersion"]
    done = shop.tp("up", "--kubeconfig", as_account(shop, rules, tmp_path / "less"))
    assert done.returncode == 6, done.stderr
    assert f"{verb} {resource.split('/')[0]}" in done.stderr
    assert shop.get("deployment", "web")["metadata"]["resourceVersion"] == before


@pytest.mark.parametrize("uid", [12345, None], ids=["uid", "image-user"])
def test_in_a_restricted_namespace(place: Place, uid: int | None) -> None:
    """Any uid, a read-only root, no capability; ports below 1024 all the same."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    place.kubectl("label", "namespace", place.namespace, label)
    web = objects.deployment("web")
    spec = web["spec"]["template"]["spec"]
    spec["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if uid is not None:
        spec["securityContext"]["runAsUser"] = uid
    else:
        web["spec"]["replicas"] = 0  # the demo image's own user is root: its Pods cannot start
    spec["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    place.apply(web, objects.service("web"))
    place.write(
        {
            "web": {
                "target": "deployment/web",
                "expose": ["3000:8080", "3443:443"],
                "run": {"command": "python3 -m http.server 3000 & python3 -m http.server 3443"},
            }
        }
    )
    before = place.exact("web")
    place.ok("up", "-d")
    place.ok("down")
    assert place.exact("web") == before


ORDINARY = 65534


@pytest.fixture
def everybodys() -> Iterator[tuple[str, str]]:
    """A Python that everybody may run, and a path with ``tp`` that everybody may read.

    A checkout or a Python below root's home is closed to others.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    asks = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in (f"/usr/bin/python{version}", "/usr/bin/python3", sys.executable):
        try:
            done = subprocess.run(
                [python, "-c", asks],
                user=ORDINARY,
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            continue
        if done.stdout.strip() == version:
            break
    else:
        pytest.fail(f"there is no Python {version} here that an ordinary user may run")
    folder = Path(tempfile.mkdtemp(prefix="tp-everybody-"))
    folder.chmod(0o755)
    shutil.copytree(ROOT / "tpconfig", folder / "tpconfig")
    packages = sysconfig.get_path("purelib")
    link = subprocess.run(["cp", "-al", packages, folder / "packages"], check=False)
    if link.returncode:
        shutil.copytree(packages, folder / "packages", dirs_exist_ok=True)
    yield python, f"{folder}:{folder / 'packages'}"
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here runs as an ordinary user")
def test_as_an_ordinary_user(shop: Place, everybodys: tuple[str, str]) -> None:
    """Without root and without sudo, with a network of its own for the process."""
    python, path = everybodys
    home = Path(tempfile.mkdtemp(prefix="tp-home-"))
    shutil.copy(shop.folder / "telepresence.yaml", home)
    shutil.copy(shop.kubeconfig, home / "kubeconfig")
    for one in (home, *home.iterdir()):
        os.chown(one, ORDINARY, ORDINARY)
    environment = shop.environment(
        KUBECONFIG=str(home / "kubeconfig"),
        PYTHONPATH=path,
        HOME=str(home),
        TP_STATE_DIR=str(home / "state"),
    )

    def tp(*arguments: str) -> str:
        done = subprocess.run(
            [python, "-m", "tpconfig", *arguments],
            cwd=home,
            env=environment,
            user=ORDINARY,
            group=ORDINARY,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    before = shop.exact("web")
    tp("up", "-d")
    assert json.loads(tp("status", "--json"))["method"] == "namespace"
    assert tp("run", "web", "--", "id", "-u").strip() == str(ORDINARY)
    asked = ("curl", "-sm", "9", "-ko", "/dev/null", "-w", "%{http_code}")
    assert tp("run", "web", "--", *asked, "https://kubernetes.default/healthz") in ("200", "401")
    tp("down")
    assert shop.exact("web") == before
    shutil.rmtree(home)
