"""What a review of rules grants, as RBAC reads them."""

from __future__ import annotations

from typing import Any

import pytest

from tpconfig.cluster import rules
from tpconfig.model.observed import Permission

PATCH = Permission("shop", "apps", "deployments", "patch")
FORWARD = Permission("shop", "", "pods", "create", "portforward")


def rule(verbs: str, groups: str, resources: str, **more: Any) -> dict[str, Any]:
    """Return a rule; words are separated by spaces, and ``core`` is the group without a name."""
    named = ["" if group == "core" else group for group in groups.split()]
    return {"verbs": verbs.split(), "apiGroups": named, "resources": resources.split(), **more}


@pytest.mark.parametrize(
    ("given", "wanted", "granted"),
    [
        (rule("*", "*", "*"), PATCH, True),
        (rule("*", "*", "*"), FORWARD, True),
        (rule("get patch", "apps", "deployments"), PATCH, True),
        (rule("get list", "apps", "deployments"), PATCH, False),
        (rule("patch", "batch", "deployments"), PATCH, False),
        (rule("patch", "apps", "daemonsets"), PATCH, False),
        (rule("patch", "apps", "deployments/scale"), PATCH, False),
        (rule("patch", "apps", "deployments", resourceNames=["web"]), PATCH, False),
        (rule("create", "core", "pods"), FORWARD, False),
        (rule("create", "core", "pods/portforward"), FORWARD, True),
        (rule("create", "core", "*/portforward"), FORWARD, True),
        ({}, PATCH, False),
    ],
)
def test_a_rule_grants(given: dict[str, Any], wanted: Permission, granted: bool) -> None:
    """Verb, group and resource; a rule for some names grants nothing that can be relied on."""
    assert rules.granted([given], wanted) is granted


def test_one_of_several_rules_is_enough() -> None:
    """And of none, none."""
    found = [rule("get", "core", "pods"), rule("patch", "apps", "deployments")]
    assert rules.granted(found, PATCH)
    assert not rules.granted([], PATCH)
