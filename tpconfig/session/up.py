"""``tp up`` in one process: come up, hold, and put everything back, whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tpconfig import log
from tpconfig.cluster import lease
from tpconfig.errors import ExitCode, TpError
from tpconfig.model.desired import Desired
from tpconfig.model.events import Remark, SessionEnded, SessionUp
from tpconfig.model.plan import Plan
from tpconfig.session import conflict, control, shell
from tpconfig.session.answers import Answers
from tpconfig.session.executor import Emit
from tpconfig.session.holding import End, Holding, Why
from tpconfig.session.interrupts import Interrupted, Interrupts, catch_interrupts
from tpconfig.session.lifecycle import Session
from tpconfig.session.locks import only_one
from tpconfig.session.planfile import PlanFile
from tpconfig.session.reloading import Reloading
from tpconfig.session.start import open_session
from tpconfig.session.wish import Reload, Wish


@dataclass(frozen=True, slots=True)
class UpOptions:
    """How ``tp up`` was asked."""

    reload: Reload
    keep: bool = False
    interactive: bool = False
    stay: bool = False
    watch: bool = True
    exit_code_from: str | None = None
    abort_on_exit: bool = False
    exactly: PlanFile | None = None


class AbandonedError(TpError):
    """The user did not wait for the restore."""

    exit_code = ExitCode.ABANDONED


async def up(wish: Wish, options: UpOptions, emit: Emit, is_up: Callable[[], None]) -> int:
    """Bring the wish up and hold it until something ends it; return the exit code.

    ``is_up`` is called once when everything is there.

    Raises:
        TpError: it did not come up (all undone), or was not put back as a whole.
    """
    with catch_interrupts() as interrupts:
        async with open_session(wish, emit) as (session, desired):
            paths = session.machine.here.state
            with only_one(paths.folder / "lock") as first:
                if not first:
                    await _hand_over(session, options, emit)
                    is_up()
                    return 0
                holding = Holding(
                    session, options.exit_code_from, options.stay, options.abort_on_exit
                )
                reloading = Reloading(session, options.reload, wish)
                answers = Answers(session, holding, reloading)
                with log.to_file(paths.own_log) as own_log:
                    async with control.serve(paths.socket, answers.answer):
                        await _come_up(session, desired, options, interrupts)
                        is_up()
                        await asyncio.to_thread(own_log.settle)
                        end = await _hold(holding, reloading, options, interrupts)
                        await _finish(session, end, interrupts)
    return end.code


async def _hand_over(session: Session, options: UpOptions, emit: Emit) -> None:
    """Hand the file to the living ``tp up`` of the same session.

    Raises:
        TpError: it lives but does not answer.
    """
    socket = session.machine.here.state.socket
    request = {"do": "reload", **options.reload.to_json()}
    if options.exactly is not None:
        request["exactly"] = options.exactly.path
    answer = await control.ask(socket, request)
    if answer is None:
        raise TpError(
            f"session {session.identity.id} is starting or ending in another process",
            hint="try again in a moment; `tp status` tells how far it is",
        )
    changes = answer.get("changes") or []
    for line in changes:
        emit(Remark(str(line)))
    if not changes:
        emit(Remark(f"session {session.identity.id} is up already: nothing to do"))


async def _come_up(
    session: Session, desired: Desired, options: UpOptions, interrupts: Interrupts
) -> None:
    started_s = time.monotonic()
    try:
        announce = partial(_announce, session, desired)
        apply = partial(session.converge, desired, announce=announce, exactly=options.exactly)
        await interrupts.guard(conflict.converge(session, desired, apply))
    except BaseException as error:
        if session.touched and not options.keep:
            await _undo(session, interrupts)
        if isinstance(error, Interrupted):
            raise InterruptedAllUndoneError from None
        raise
    session.emit(SessionUp(time.monotonic() - started_s))


def _announce(session: Session, desired: Desired, plan: Plan) -> None:
    session.emit(session.planned(plan, desired))


class InterruptedAllUndoneError(TpError):
    """Ctrl-C while starting; nothing is left."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted while starting: all of it was undone")


async def _hold(
    holding: Holding, reloading: Reloading, options: UpOptions, interrupts: Interrupts
) -> End:
    """Hold until something ends the session; whatever fails here, all is put back."""
    try:
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(_ask(holding, interrupts))]
            if options.watch:
                others.append(group.create_task(reloading.follow()))
            if options.interactive:
                others.append(group.create_task(_type(holding)))
            end = await holding.until_end()
            for task in others:
                task.cancel()
    except BaseException:
        await _undo(holding.session, interrupts)
        raise
    return end


async def _ask(holding: Holding, interrupts: Interrupts) -> None:
    await interrupts.beyond(0)
    holding.end(End(Why.ASKED))


async def _type(holding: Holding) -> None:
    """Give the user's terminal to a shell in the workload's world; its end is the session's."""
    await shell.run(holding.session)
    holding.end(End(Why.ASKED))


async def _finish(session: Session, end: End, interrupts: Interrupts) -> None:
    match end.why:
        case Why.ENDED_ELSEWHERE:
            await session.leave()
            for namespace in session.namespaces:
                with suppress(TpError):
                    await lease.forget(session.api, namespace, session.identity.id)
            session.emit(SessionEnded(f"ended by {end.by}: {end.reason}"))
        case Why.ASKED | Why.NAMED_ENDED | Why.PROCESSES_ENDED | Why.ONE_ENDED | Why.LOST:
            await _undo(session, interrupts)
            session.emit(SessionEnded(end.why.value))


async def _undo(session: Session, interrupts: Interrupts) -> None:
    """Put everything back; a further Ctrl-C leaves it to whoever comes next.

    Raises:
        AbandonedError: the user did not wait.
    """
    where = " ".join(f"-n {namespace}" for namespace in session.namespaces)
    command = f"tp down --session {session.identity.id} {where}".rstrip()
    try:
        await interrupts.guard(session.undo(), patience=interrupts.count)
    except Interrupted:
        raise AbandonedError(
            "interrupted: what was not put back yet is restored by the next `tp` command here "
            f"when the lease has run out ({session.wish.ttl_s:.0f} s)",
            hint=f"at once: {command}",
        ) from None
    except TimeoutError:
        raise TpError("the restore took too long", hint=f"try again: {command}") from None
