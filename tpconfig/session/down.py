"""``tp down``: end a session, from wherever one is.

The end is written on the Lease before it is carried out, so that a ``tp up`` that lives somewhere
else knows that it was meant. Then it is the planner's ordinary answer to an empty wish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tpconfig.cluster import lease
from tpconfig.cluster import observe as cluster
from tpconfig.errors import ConflictError, TpError, UsageError
from tpconfig.model.events import Remark, SessionEnded
from tpconfig.model.observed import LeaseFacts, Observed
from tpconfig.session import control, ending
from tpconfig.session.executor import Emit
from tpconfig.session.identity import Identity
from tpconfig.session.lifecycle import Session
from tpconfig.session.start import open_session
from tpconfig.session.wish import Wish

END_TIMEOUT_S = 180.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class DownOptions:
    """Which session: by id, by the file's name, or the only one of this ``user@host``.

    ``all``: every one of one's own API user, with ``force`` everybody's.
    """

    session: str | None = None
    named: bool = True
    force: bool = False
    namespaces: tuple[str, ...] = ()
    all: bool = False


async def down(wish: Wish, options: DownOptions, emit: Emit) -> None:
    """End a session and put back everything that it changed; nothing to end is no error.

    Raises:
        ConflictError: it belongs to somebody else and lives.
        UsageError: it cannot be told which session is meant.
        TpError: something is not back yet.
    """
    async with open_session(wish, emit) as (session, desired):
        where = {workload.target.namespace for workload in desired.workloads}
        where |= set(options.namespaces) or {wish.namespace or session.api.namespace}
        world = await cluster.observe(
            session.api, session=session.identity.id, targets=(), namespaces=where
        )
        if options.all:
            await _end_all(session, world, options, emit)
            return
        meant = _meant(world, session.identity, options)
        if meant is None:
            session.touched |= where
            await session.undo()
            emit(Remark("nothing to do: no such session is up"))
            return
        await _end(session, world, meant, options, emit)
        emit(SessionEnded("asked"))


async def _end(
    session: Session, world: Observed, meant: str, options: DownOptions, emit: Emit
) -> None:
    """End one session: its living process here does it by itself, else it is done for it.

    Raises:
        ConflictError: it lives and belongs to another API user.
        TpError: something is not back yet.
    """
    state = session.machine.here.state
    if await _ask_owner(state.folder.parent / meant / state.socket.name):
        return
    leases = [one for one in world.leases if one.session == meant]
    _check_owner(leases, session.identity, options)
    verdict = _verdict(leases, session.identity)
    if verdict.asleep or options.all:
        await ending.undo(session.api, world, meant, emit, verdict)
        return
    for one in leases:
        await lease.mark_ended(session.api, one.namespace, meant, by=verdict.by, why=verdict.why)
    session.identity = replace(session.identity, id=meant)
    session.touched |= {one.namespace for one in world.leases if one.session == meant}
    session.touched |= {one.target.namespace for one in world.workloads if one.claim}
    session.touched |= {one.namespace for one in world.agents if one.session == meant}
    await session.undo()


async def _end_all(session: Session, world: Observed, options: DownOptions, emit: Emit) -> None:
    """End every session that may be ended; one that may not is said, and stops no other.

    Raises:
        TpError: the first that could not be ended, when the others are.
    """
    failures: list[TpError] = []
    there = sorted(_seen(world))
    for one in there:
        try:
            await _end(session, world, one, options, emit)
        except TpError as error:
            failures.append(error)
        else:
            emit(Remark(f"session {one} is ended: what it had changed was put back"))
    if failures:
        raise failures[0]
    if not there:
        emit(Remark("nothing to do: no session is up here"))


def _seen(world: Observed) -> set[str]:
    """Return every session that has anything here."""
    seen = {one.session for one in world.leases} | {one.session for one in world.agents}
    return seen | {one.claim.session for one in world.workloads if one.claim}


def _meant(world: Observed, who: Identity, options: DownOptions) -> str | None:
    """Tell which session is meant; ``None`` where nothing of it is there."""
    seen = _seen(world)
    if options.session is not None:
        if options.session in seen:
            return options.session
        if seen:
            raise UsageError(
                f"there is no session {options.session} here", hint=f"there is: {_list(world)}"
            )
        return None
    if who.id in seen:
        return who.id
    own = [one for one in world.leases if one.user == who.user]
    if options.named:
        same = [one.session for one in own if one.file_name == who.name]
    else:
        same = [one.session for one in own if one.holder == who.holder]
    if len(set(same)) > 1:
        raise UsageError(
            "several sessions could be meant", hint=f"name one with --session: {_list(world)}"
        )
    return same[0] if same else None


def _list(world: Observed) -> str:
    return ", ".join(f"{one.session} ({one.file_name} of {one.holder})" for one in world.leases)


async def _ask_owner(socket: Path) -> bool:
    """Have the living ``tp up`` on this machine end itself; wait until it is gone."""
    if await control.ask(socket, {"do": "down"}) is None:
        return False
    async with asyncio.timeout(END_TIMEOUT_S):
        while await control.ask(socket, {"do": "status"}) is not None:
            await asyncio.sleep(POLL_S)
    return True


def _check_owner(leases: Sequence[LeaseFacts], who: Identity, options: DownOptions) -> None:
    """Refuse to end what lives and belongs to another API user.

    Raises:
        ConflictError: ``--force`` is missing.
    """
    for one in leases:
        if one.user != who.user and not one.expired and not options.force:
            raise ConflictError(
                f"session {one.session} belongs to {one.user} ({one.holder})",
                hint="ask them to end it; with --force you end it for them",
            )


def _verdict(leases: Sequence[LeaseFacts], who: Identity) -> ending.Verdict:
    """Say who ends it, and whether its owner may be somewhere else and asleep."""
    forced = any(one.user != who.user for one in leases)
    elsewhere = any(one.holder != who.holder or one.user != who.user for one in leases)
    living = any(not one.expired for one in leases)
    why = lease.FORCED if forced else lease.ASKED
    return ending.Verdict(who.holder, why, asleep=living and elsewhere)
