"""Makes a session that is up what its file says: when the file is saved, or when it is asked to."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tpconfig.errors import TpError, UsageError
from tpconfig.local import filewatch
from tpconfig.model.events import FileApplied, FileRefused, FileSaved
from tpconfig.model.plan import Plan
from tpconfig.session.lifecycle import Session
from tpconfig.session.planfile import PlanFile
from tpconfig.session.start import with_namespace
from tpconfig.session.wish import Reload, Wish


@dataclass(slots=True)
class Reloading:
    """Knows where the wish of a session is read from, and reads it again."""

    session: Session
    reload: Reload
    wish: Wish

    refused: bool = False
    seen: tuple[Path, ...] = ()
    """The files of the last look, refused or not: a broken one may include others by now."""

    async def apply(self, reload: Reload | None = None, *, exactly: PlanFile | None = None) -> Plan:
        """Read the file again, from there from now on, and make the world equal to it.

        What is wrong with the file leaves everything as it is. ``exactly``: only by this plan.

        Raises:
            TpError: the file is not valid, its plan is blocked, or an action failed.
        """
        reload = reload or self.reload
        plan = await self._apply(await self._load(reload), exactly=exactly)
        self.reload = reload
        return plan

    async def follow(self) -> None:
        """Apply the file whenever it is saved; the last good one goes on where it is broken."""
        emit = self.session.emit
        await _import_loading()  # the first save is to be as quick as the others
        async for _ in filewatch.changes(lambda: {*self.wish.paths, *self.seen}):
            began_s = time.monotonic()
            try:
                wish = await self._load(self.reload)
                if wish == self.wish and not self.refused:
                    continue  # a comment, or the first look
                plan = await self._apply(wish, lambda plan: emit(FileSaved(plan)))
            except TpError as error:
                self.refused = True
                emit(FileRefused(error))
            else:
                self.refused = False
                if not plan.empty:
                    emit(FileApplied(time.monotonic() - began_s))

    async def _load(self, reload: Reload) -> Wish:
        await _import_loading()
        from tpconfig.session import loading

        seen: list[Path] = []
        try:
            wish = loading.load(reload, self.session.machine.here.environ, seen=seen)
        finally:
            self.seen = tuple(seen)
        self._demand_the_same_session(wish)
        return wish

    async def _apply(
        self,
        wish: Wish,
        announce: Callable[[Plan], None] | None = None,
        *,
        exactly: PlanFile | None = None,
    ) -> Plan:
        session, before, known = self.session, self.session.wish, self.session.desired
        desired = with_namespace(wish.desired, wish.namespace or session.api.namespace)
        session.wish = wish.session
        try:
            plan = await session.converge(desired, announce=announce, exactly=exactly)
        except TpError:
            if session.desired is known:  # it has not begun
                session.wish = before
            raise
        self.wish = wish
        return plan

    def _demand_the_same_session(self, wish: Wish) -> None:
        """Refuse what a session is known by, and what it cannot change while it is up."""
        namespace = wish.namespace or self.session.api.namespace
        if namespace != self.session.namespace:
            raise UsageError(
                f"session {self.session.identity.id} is up in namespace "
                f"{self.session.namespace}: this would move it to {namespace}",
                hint="give this one a name of its own (`name:` in the file), or end the other one "
                "first: tp down",
            )
        fixed = {
            "name": (self.wish.session.name, wish.session.name),
            "cluster.context": (self.wish.cluster.context, wish.cluster.context),
            "cluster.bastion": (self.wish.cluster.bastion, wish.cluster.bastion),
            "method": (self.wish.desired.method, wish.desired.method),
        }
        changed = [key for key, (before, after) in fixed.items() if before != after]
        if changed:
            raise UsageError(
                f"{' and '.join(changed)} cannot change while the session is up",
                hint="tp down, then tp up",
            )


async def _import_loading() -> None:
    """Import what reads files beside everything else: it takes long, and connections go on."""
    await asyncio.to_thread(importlib.import_module, "tpconfig.session.loading")
