"""What a SelfSubjectRulesReview grants (pure).

It says yes in one request where an access review for each verb would take twenty. Its silence is no
answer: the list may be incomplete, so what it does not grant is asked for singly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tpconfig.model.observed import Permission


def granted(rules: Iterable[Mapping[str, Any]], permission: Permission) -> bool:
    """Tell whether any rule grants a verb on every object of its kind."""
    return any(_grants(rule, permission) for rule in rules)


def _grants(rule: Mapping[str, Any], permission: Permission) -> bool:
    if rule.get("resourceNames"):
        return False
    resource, part = permission.resource, permission.subresource
    names = {"*", f"{resource}/{part}" if part else resource}
    if part:
        names.add(f"*/{part}")
    return (
        not {"*", permission.verb}.isdisjoint(rule.get("verbs") or ())
        and not {"*", permission.group}.isdisjoint(rule.get("apiGroups") or ())
        and not names.isdisjoint(rule.get("resources") or ())
    )
