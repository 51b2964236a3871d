"""One ``tp up``, from the first look to the last restore.

Everything happens by converging: observe, plan, apply. Coming up is the first time, a saved file
or a deleted Pod is another, and the end is the same with an empty wish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tpconfig.cluster import lease
from tpconfig.cluster.api import Api
from tpconfig.cluster.apply import ClusterApplier, WorldMovedError
from tpconfig.cluster.lease import Owner
from tpconfig.cluster.mirror import open_mirrors
from tpconfig.errors import TpError
from tpconfig.local.diagnosis import Diagnosis
from tpconfig.model.actions import Action, ClaimTarget, ClusterAction
from tpconfig.model.desired import Desired, SessionWish
from tpconfig.model.events import Planned
from tpconfig.model.observed import MachineFacts, Observed, Permission
from tpconfig.model.plan import Plan
from tpconfig.model.target import Target
from tpconfig.planner.diff import diff
from tpconfig.session import heal, planfile, targets, verdicts, view
from tpconfig.session.executor import Emit, execute
from tpconfig.session.identity import Identity
from tpconfig.session.machine import Machine
from tpconfig.session.planfile import PlanFile

REPLANS = 5
UNDO_DEADLINE_S = 150.0
LEAVE_TIMEOUT_S = 60.0
POLL_S = 0.1


@dataclass(slots=True)
class Session:
    """A session that is coming up, is up, or is going down."""

    api: Api
    identity: Identity
    wish: SessionWish
    machine: Machine
    emit: Emit
    method: str
    namespace: str = "default"
    method_problem: Diagnosis | None = None
    desired: Desired = field(default_factory=Desired)
    touched: set[str] = field(default_factory=set)
    yielded: dict[Target, str] = field(default_factory=dict)
    templates: dict[Target, str] = field(default_factory=dict)
    services: frozenset[tuple[str, str]] = frozenset()
    _converging: asyncio.Lock = field(default_factory=asyncio.Lock)
    _recorded: dict[Target, int] = field(default_factory=dict)
    _allowed: tuple[tuple[Permission, ...], tuple[str, ...]] = ((), ())

    @property
    def owner(self) -> Owner:
        """What the session's Leases say about it."""
        who = self.identity
        times = (self.wish.ttl_s, self.wish.reconnect_s)
        return Owner(who.id, who.user, who.holder, who.name, who.file, *times)

    @property
    def namespaces(self) -> list[str]:
        """Every namespace that this session has a Lease in, or is about to."""
        return sorted(self.touched)

    async def look(
        self, desired: Desired, *, ask: bool = True, healing: bool = True
    ) -> tuple[Observed, Plan]:
        """Observe, and plan what would make the world equal to ``desired``.

        ``healing``: what expired sessions have left is restored first.
        """
        wanted = replace(desired, method=self.method)

        async def here() -> MachineFacts:
            problem = self.method_problem if desired.workloads else None
            return await self.machine.facts(wanted, self.method, problem)

        where = {*self.touched, *(one.target.namespace for one in wanted.workloads)}
        world = await view.observe(
            self.api, wanted, session=self.identity.id, namespaces=where, machine=here, ask=ask
        )
        targets = {one.target for one in wanted.workloads}
        if healing and await heal.heal(self.api, world, self.emit, targets):
            again = await view.observe(
                self.api,
                wanted,
                session=self.identity.id,
                namespaces=where,
                machine=here,
                ask=False,
            )
            world = replace(again, denied=world.denied, accounts=world.accounts)
        if ask:
            self._allowed = (world.denied, world.accounts)
        elif desired.workloads:  # the way back is tried, whatever is allowed
            world = replace(world, denied=self._allowed[0], accounts=self._allowed[1])
        world = replace(self._remembering(world), yielded=tuple(sorted(self.yielded)))
        return world, diff(wanted, world, self.wish.image)

    def _remembering(self, world: Observed) -> Observed:
        """Put the first recorded original in place of today's 0, where a claim was taken off."""
        workloads = []
        for facts in world.workloads:
            known = self._recorded.get(facts.target)
            if facts.claim is not None and facts.claim.session == self.identity.id:
                self._recorded[facts.target] = facts.claim.replicas
            elif known is not None and facts.claim is None and facts.replicas == 0:
                facts = replace(facts, replicas=known)
            workloads.append(facts)
        return replace(world, workloads=tuple(workloads))

    @property
    def busy(self) -> bool:
        """Whether a plan is being carried out right now."""
        return self._converging.locked()

    async def converge(
        self,
        desired: Desired,
        *,
        announce: Callable[[Plan], None] | None = None,
        exactly: PlanFile | None = None,
    ) -> Plan:
        """Make the world equal to ``desired``, planning again where it moves meanwhile.

        ``announce`` is given the first plan before it is carried out. ``exactly``: only by this
        plan; where another would be needed, nothing is done.

        Returns:
            The plan that was applied last.

        Raises:
            TpError: the plan is blocked, or an action failed.
        """
        async with self._converging:
            desired = await targets.resolve(self.api, desired)
            for attempt in range(REPLANS):
                world, plan = await self.look(desired, ask=attempt == 0)
                verdicts.raise_blockers(plan)
                if exactly is not None:
                    planfile.check(exactly, self.planned(plan, desired))
                if announce is not None and attempt == 0:
                    announce(plan)
                self.desired = desired
                self.touched |= {one.target.namespace for one in desired.workloads}
                self.machine.adopt(desired)
                try:
                    await self._carry_out(plan, world)
                except WorldMovedError:
                    if attempt == REPLANS - 1 or exactly is not None:
                        raise
                    continue
                self._remember(world, plan)
                return plan
            raise AssertionError("the loop returns or raises")

    def _remember(self, world: Observed, plan: Plan) -> None:
        """Keep what drift and neighbours are told by, and the first recorded originals."""
        self.machine.neighbours.learn(world)
        self.templates = {one.target: one.template_hash for one in world.workloads}
        self.services = frozenset(
            (one.target.namespace, service.name)
            for one in world.workloads
            for service in one.services
        )
        self._recorded |= {
            action.target: action.replicas
            for action in plan.actions
            if isinstance(action, ClaimTarget)
        }

    async def undo(self) -> None:
        """Put everything back; as far as it goes, whatever fails.

        Raises:
            TpError: something is not back yet.
        """
        async with asyncio.timeout(UNDO_DEADLINE_S), self._converging:
            for attempt in range(REPLANS):
                world, plan = await self.look(Desired(), ask=False)
                try:
                    await self._carry_out(plan, world, go_on=True)
                except WorldMovedError:
                    if attempt == REPLANS - 1:
                        raise
                else:
                    break
        self.desired = Desired()
        self._recorded.clear()

    async def leave(self) -> None:
        """Leave the cluster to whoever has ended the session; serve until the agents are gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                while any(one.link_up for one in self.machine.hosted.values()):
                    await asyncio.sleep(POLL_S)
        for name in list(self.machine.hosted):
            with suppress(TpError):
                await self.machine.hosted.pop(name).disconnect()

    def planned(self, plan: Plan, desired: Desired) -> Planned:
        """Say what is going to be done, and where."""
        return Planned(
            plan=plan,
            context=self.api.context,
            server=self.api.server,
            namespaces=tuple(sorted({one.target.namespace for one in desired.workloads})),
            session=self.identity.id,
            holder=self.identity.holder,
            ttl_s=self.wish.ttl_s,
        )

    async def _carry_out(self, plan: Plan, world: Observed, *, go_on: bool = False) -> None:
        async with open_mirrors(self.api) as mirrors:
            cluster = ClusterApplier(self.api, self.owner, self.wish.image, world, mirrors)

            async def apply(action: Action, waiting: Callable[[str], None]) -> str:
                if isinstance(action, ClusterAction):
                    return await cluster.apply(action, waiting)
                return await self.machine.apply(action, waiting, world, cluster)

            failure: TpError | None = None
            async with asyncio.TaskGroup() as group:
                living = group.create_task(self._stay_alive())
                try:
                    await execute(plan, apply, self.emit, go_on=go_on)
                except TpError as error:
                    failure = error
                finally:
                    living.cancel()
            if failure is not None:
                raise failure

    async def _stay_alive(self) -> None:
        """Renew the leases: an image or an original may take longer than they last."""
        while True:
            await asyncio.sleep(self.wish.ttl_s / 4)
            for namespace in self.namespaces:
                with suppress(TpError):  # what is being carried out says what is wrong
                    await lease.renew(self.api, namespace, self.identity.id, self.wish.ttl_s)
