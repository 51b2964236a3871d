"""The Roles that an administrator gives: what a session takes, and what every janitor may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tpconfig import names
from tpconfig.model.kinds import SWAPPABLE
from tpconfig.model.observed import Permission
from tpconfig.planner import permissions

GROUP = "rbac.authorization.k8s.io"

Manifest = dict[str, Any]


def for_users(namespace: str, *, group: str | None) -> list[Manifest]:
    """Return the Role that a session takes, janitor included, and its binding to a group."""
    verbs = permissions.session_verbs(namespace, SWAPPABLE)
    found = [_role(namespace, names.PREFIX, rules(verbs))]
    if group is not None:
        subject = {"apiGroup": GROUP, "kind": "Group", "name": group}
        found.append(_binding(namespace, names.PREFIX, subject))
    return found


def for_janitors(namespace: str) -> list[Manifest]:
    """Return the account that a namespace's janitors share, where users may not create Roles.

    It is not limited to names: whoever may start Pods there may use it.
    """
    me = names.JANITOR_ACCOUNT
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": me, "namespace": namespace},
    }
    subject = {"kind": "ServiceAccount", "name": me, "namespace": namespace}
    verbs = permissions.janitor_verbs(namespace)
    return [account, _role(namespace, me, rules(verbs)), _binding(namespace, me, subject)]


def rules(verbs: Iterable[Permission]) -> list[Manifest]:
    """Return the rules of a Role that allows just these verbs."""
    by_resource: dict[tuple[str, str], set[str]] = {}
    for one in verbs:
        resource = f"{one.resource}/{one.subresource}" if one.subresource else one.resource
        by_resource.setdefault((one.group, resource), set()).add(one.verb)
    by_verbs: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), found in sorted(by_resource.items()):
        by_verbs.setdefault((group, tuple(sorted(found))), []).append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
        for (group, verbs), resources in by_verbs.items()
    ]


def _role(namespace: str, name: str, found: list[Manifest]) -> Manifest:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": found,
    }


def _binding(namespace: str, name: str, subject: Manifest) -> Manifest:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name},
        "subjects": [subject],
    }
