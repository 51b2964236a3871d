"""``tp rbac``: the Roles of a namespace; it needs the kubeconfig at most for the namespace."""

from __future__ import annotations

from typing import Any

from tpconfig.planner import roles as planner
from tpconfig.session.access import open_cluster
from tpconfig.session.wish import Reload


async def roles(reload: Reload, *, janitor: bool, group: str | None) -> list[dict[str, Any]]:
    """Return the objects that an administrator applies.

    Raises:
        UsageError: no namespace was given, and there is no kubeconfig to take one from.
    """
    namespace = reload.namespace
    if namespace is None:
        async with open_cluster(reload.cluster()) as api:
            namespace = api.namespace
    if janitor:
        return planner.for_janitors(namespace)
    return planner.for_users(namespace, group=group)
