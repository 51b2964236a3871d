"""API users with few permissions: service accounts, so that any cluster has them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.place import Place

GROUP = "rbac.authorization.k8s.io"

Rule = dict[str, Any]


def with_stock_role(place: Place, role: str) -> str:
    """Return the kubeconfig of an account that has a stock ClusterRole in the namespace."""
    return _account(place, "dev", {"kind": "ClusterRole", "name": role})


def with_rules(place: Place, rules: Sequence[Rule], *, name: str = "dev") -> str:
    """Return the kubeconfig of an account that may do just this in the namespace."""
    place.apply(
        {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}
    )
    return _account(place, name, {"kind": "Role", "name": name})


def with_the_printed_role(place: Place) -> None:
    """Have the place's ``tp`` from now on as an account with what ``tp rbac`` prints."""
    (role,) = json.loads(place.ok("rbac", "--json", "-n", place.namespace))["items"]
    own = Path(with_rules(place, role["rules"], name="printed"))
    own.replace(place.own_kubeconfig)


def rules_of_plan(place: Place) -> list[Rule]:
    """Return the Role that ``tp plan`` lists, one rule for each verb."""
    plan = json.loads(place.ok("plan", "--json"))
    return [
        {"apiGroups": [one["group"]], "resources": [resource_of(one)], "verbs": [one["verb"]]}
        for one in plan["permissions"]
    ]


def resource_of(permission: dict[str, str]) -> str:
    """Return a resource as a Role names it."""
    subresource = permission["subresource"]
    return f"{permission['resource']}/{subresource}" if subresource else permission["resource"]


def merged(rules: Sequence[Rule]) -> list[Rule]:
    """Return the same with one rule for each resource."""
    verbs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for rule in rules:
        verbs[rule["apiGroups"][0], rule["resources"][0]] += rule["verbs"]
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": found}
        for (group, resource), found in verbs.items()
    ]


def _account(place: Place, name: str, role: dict[str, str]) -> str:
    subject = {"kind": "ServiceAccount", "name": name, "namespace": place.namespace}
    place.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": GROUP, **role},
            "subjects": [subject],
        },
    )
    config = json.loads(place.kubectl("config", "view", "--raw", "-o", "json"))
    token = place.kubectl("create", "token", name).strip()
    config["users"] = [{"name": name, "user": {"token": token}}]
    for context in config["contexts"]:
        context["context"]["user"] = name
    path = place.home / f"kubeconfig-{name}"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    place.person.own(path)
    return str(path)
