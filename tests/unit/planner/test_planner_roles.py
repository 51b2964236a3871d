"""The Roles that ``tp rbac`` prints."""

from __future__ import annotations

import pytest
import yaml

from tpconfig.cli.render import yaml_documents
from tpconfig.model.kinds import SWAPPABLE
from tpconfig.model.observed import Permission
from tpconfig.planner import permissions, roles


def allowed(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    """Return what rules allow, one by one."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def wanted(verbs: tuple[Permission, ...]) -> set[tuple[str, str, str]]:
    return {
        (
            one.group,
            f"{one.resource}/{one.subresource}" if one.subresource else one.resource,
            one.verb,
        )
        for one in verbs
    }


def test_the_role_of_users_is_what_a_session_takes() -> None:
    """No verb more."""
    (role,) = roles.for_users("shop", group=None)
    assert allowed(role["rules"]) == wanted(permissions.session_verbs("shop", SWAPPABLE))


def test_users_may_do_all_that_their_janitor_may() -> None:
    """Nobody can create a Role that allows more than they may themselves."""
    janitor = set(permissions.janitor_verbs("shop"))
    assert janitor <= set(permissions.session_verbs("shop", SWAPPABLE))


def test_a_group_is_bound() -> None:
    """So that one command gives it to a team."""
    _, binding = roles.for_users("shop", group="devs")
    assert binding["subjects"][0]["name"] == "devs"
    assert binding["roleRef"]["name"] == "tp"


@pytest.mark.parametrize("manifests", [roles.for_users("s", group="yes"), roles.for_janitors("s")])
def test_the_yaml_is_read_as_it_was_meant(manifests: list[dict[str, object]]) -> None:
    """A group that is called yes stays a text."""
    assert list(yaml.safe_load_all(yaml_documents(manifests))) == manifests
