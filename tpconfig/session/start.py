"""Opens what every command needs: the way to the cluster, the identity, this machine's side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from tpconfig.cluster import observe as cluster
from tpconfig.cluster.api import Api
from tpconfig.errors import UsageError
from tpconfig.local import observe as local
from tpconfig.local import state
from tpconfig.local.diagnosis import Diagnosis
from tpconfig.local.leftovers import Leftovers
from tpconfig.model.desired import Desired
from tpconfig.model.events import Remark
from tpconfig.session.access import open_cluster
from tpconfig.session.executor import Emit
from tpconfig.session.hosted import Here
from tpconfig.session.identity import identify
from tpconfig.session.lifecycle import Session
from tpconfig.session.logged import logged
from tpconfig.session.machine import Machine
from tpconfig.session.outputs import kept
from tpconfig.session.wish import Wish


@asynccontextmanager
async def open_session(wish: Wish, emit: Emit) -> AsyncIterator[tuple[Session, Desired]]:
    """Open a session for a wish; nothing is changed anywhere.

    Yields the session, and the wish with the context's namespace where the file names none.

    Raises:
        UnreachableError: the API server does not answer.
        UsageError: no such context, or a protected one.
    """
    place = state.prepare(state.folder(wish.environ))
    async with _trial(wish, place) as tried, open_cluster(wish.cluster) as api:
        check_protected(wish, api)
        user = await cluster.who_am_i(api)
        method, problem = _method(wish, await tried)
        name, file = wish.session.name, wish.session.file
        who = identify(server=api.server, user=user, name=name, file=file)
        emit = logged(emit, who.id)
        if problem is not None and wish.desired.method == "auto":
            emit(Remark(f"method: none, because {problem.reason} ({problem.cure})"))
            problem = None
        paths = state.open_session(place, who.id)
        emit = kept(emit, paths.outputs)
        async with asyncio.TaskGroup() as group:
            here = Here(
                session=who.id,
                group=group,
                state=paths,
                leftovers=Leftovers(paths),
                method=method,
                environ=wish.environ,
                emit=emit,
                outbound=wish.desired.outbound,
                api_server=api.server,
                reconnect_s=wish.session.reconnect_s,
            )
            namespace = wish.namespace or api.namespace
            machine = Machine(api, here)
            session = Session(api, who, wish.session, machine, emit, method, namespace, problem)
            yield session, with_namespace(wish.desired, namespace)


def with_namespace(desired: Desired, namespace: str) -> Desired:
    """Fill in the namespace of targets that the file gives none."""
    workloads = tuple(
        one
        if one.target.namespace
        else replace(one, target=replace(one.target, namespace=namespace))
        for one in desired.workloads
    )
    return replace(desired, workloads=workloads)


def check_protected(wish: Wish, api: Api) -> None:
    """Refuse a protected context that was not meant by name.

    Raises:
        UsageError: it needs ``--yes-i-mean``.
    """

    choice = wish.cluster
    protected = any(fnmatchcase(api.context, pattern) for pattern in choice.protected)
    if protected and choice.meant != api.context:
        raise UsageError(
            f"context {api.context} is protected by cluster.protected",
            hint=f"if you mean it: --yes-i-mean {api.context}",
        )


@asynccontextmanager
async def _trial(wish: Wish, place: Path) -> AsyncIterator[asyncio.Task[Diagnosis | None]]:
    """Try the machine while the way to the cluster is opened; nobody has to wait for it."""

    async def trying() -> Diagnosis | None:
        return await local.namespace_problem(place) if _wants_netns(wish) else None

    tried = asyncio.create_task(trying())
    await asyncio.sleep(0)  # its program starts now, beside what keeps this one busy
    try:
        yield tried
    finally:
        tried.cancel()
        await asyncio.gather(tried, return_exceptions=True)


def _wants_netns(wish: Wish) -> bool:
    return bool(wish.desired.workloads) and wish.desired.method in ("auto", "namespace")


def _method(wish: Wish, problem: Diagnosis | None) -> tuple[str, Diagnosis | None]:
    """Return the method that is meant, and what stands in the way of the one that was asked for."""
    if not _wants_netns(wish):
        return "none", None
    usable = problem is None or wish.desired.method == "namespace"
    return "namespace" if usable else "none", problem
