"""``tp ls``: every session of some namespaces, whoever's it is, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from tpconfig import names
from tpconfig.cluster import observe as cluster
from tpconfig.cluster import paths
from tpconfig.cluster.api import Api
from tpconfig.errors import NoPermissionError
from tpconfig.model.observed import LeaseFacts, Observed
from tpconfig.planner import queue
from tpconfig.session.access import open_cluster
from tpconfig.session.wish import Reload


@dataclass(frozen=True, slots=True)
class Listed:
    """One session in one namespace; ``since`` is RFC 3339, ``renewed_s`` the age of its renewal.

    ``state`` is ``up``, ``waiting``, ``expired``, ``given back``, ``ending`` or ``no lease``.
    """

    session: str
    name: str
    namespace: str
    holder: str
    user: str
    file: str
    since: str
    renewed_s: float | None
    state: str
    targets: tuple[str, ...]
    place: int | None = None
    janitor: bool = False


async def sessions(reload: Reload, *, everywhere: bool) -> list[Listed]:
    """Return the sessions of the namespace, or of all of them; nothing is changed.

    Raises:
        NoPermissionError: the leases of all namespaces may not be listed.
    """
    async with open_cluster(reload.cluster()) as api:
        where = await namespaces(api, reload, everywhere=everywhere)
        world = await cluster.observe(api, session="", targets=(), namespaces=where)
    return listed(world)


async def namespaces(api: Api, reload: Reload, *, everywhere: bool) -> set[str]:
    """Return the namespaces that a command is about.

    Raises:
        NoPermissionError: the leases of all namespaces may not be listed.
    """
    if not everywhere:
        return {reload.namespace or api.namespace}
    try:
        leases = await api.list(paths.path_of("lease"), label_selector=names.LABEL_ROLE)
        claimed = await api.list(paths.path_of("deployment"), label_selector=names.LABEL_SESSION)
    except NoPermissionError as error:
        raise NoPermissionError(
            f"not in all namespaces: {error.message}", hint="name one with -n"
        ) from error
    return {str(one["metadata"]["namespace"]) for one in (*leases, *claimed)}


def listed(world: Observed) -> list[Listed]:
    """Describe every session of what was observed, sorted by namespace and age."""
    found = [_of_lease(one, world) for one in world.leases]
    known = {(one.namespace, one.session) for one in world.leases}
    left: dict[tuple[str, str], list[str]] = {}
    for facts in world.workloads:
        key = (facts.target.namespace, facts.claim.session) if facts.claim else None
        if key is not None and key not in known:
            left.setdefault(key, []).append(str(facts.target))
    for (namespace, session), targets in left.items():
        found.append(
            Listed(session, "", namespace, "", "", "", "", None, "no lease", tuple(sorted(targets)))
        )
    return sorted(found, key=lambda one: (one.namespace, one.since, one.session))


def _of_lease(lease: LeaseFacts, world: Observed) -> Listed:
    held = sorted(
        str(facts.target)
        for facts in world.workloads
        if facts.claim
        and (facts.target.namespace, facts.claim.session) == (lease.namespace, lease.session)
    )
    waits = [one for one in lease.waits_for if str(one) not in held]
    place = None
    if waits and not held:
        queues = [queue.waiting(target, world.leases) for target in waits]
        place = max((one.index(lease) + 1 for one in queues if lease in one), default=None)
    return Listed(
        session=lease.session,
        name=lease.file_name,
        namespace=lease.namespace,
        holder=lease.holder,
        user=lease.user,
        file=lease.file,
        since=lease.since,
        renewed_s=round(max(0.0, lease.age_s), 1),
        state=_state(lease, place),
        targets=tuple(held or map(str, waits)),
        place=place,
        janitor=lease.janitor is not None,
    )


def _state(lease: LeaseFacts, place: int | None) -> str:
    if lease.ended is not None:
        return "ending"
    if lease.given_back:
        return "given back"
    if lease.expired:
        return "expired"
    return "up" if place is None else "waiting"
