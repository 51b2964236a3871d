"""``tp restore``: put back what dead sessions have left, and nothing of the living."""

from __future__ import annotations

from tpconfig.cluster import observe as cluster
from tpconfig.errors import ConflictError, TpError, UsageError
from tpconfig.model.events import Remark
from tpconfig.session import ending, heal
from tpconfig.session.access import open_cluster
from tpconfig.session.executor import Emit
from tpconfig.session.listing import namespaces
from tpconfig.session.wish import Reload


async def restore(
    reload: Reload, emit: Emit, *, session: str | None = None, everywhere: bool = False
) -> None:
    """Restore every dead session of a namespace or of all, or just one.

    Raises:
        ConflictError: the one that was named lives.
        UsageError: there is no such session.
        TpError: something is not back yet.
    """
    async with open_cluster(reload.cluster()) as api:
        where = await namespaces(api, reload, everywhere=everywhere)
        world = await cluster.observe(api, session="", targets=(), namespaces=where)
        dead = heal.dead_sessions(world)
        if session is not None:
            living = next((one for one in world.leases if one.session == session), None)
            if session not in dead and living is not None:
                raise ConflictError(
                    f"session {session} of {living.holder} lives: renewed "
                    f"{max(0, round(living.age_s))} s ago",
                    hint=f"to end it for them: tp down --session {session} --force",
                )
            if session not in dead:
                raise UsageError(
                    f"session {session} has left nothing in {', '.join(sorted(where))}",
                    hint="tp ls -A shows all sessions",
                )
            dead = [session]
        failures: list[TpError] = []
        for one in dead:
            try:
                await ending.undo(api, world, one, emit)
            except TpError as error:
                failures.append(error)
            else:
                emit(Remark(f"session {one}: what it had left was put back"))
        if failures:
            raise failures[0]
        if not dead:
            emit(Remark("nothing to do: no dead session has left anything"))
