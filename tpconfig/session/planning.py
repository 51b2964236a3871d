"""``tp plan``: observe and plan, a running session of ours taken into account."""

from __future__ import annotations

from dataclasses import replace

from tpconfig.model.events import Planned
from tpconfig.model.observed import MachineFacts
from tpconfig.planner.diff import diff
from tpconfig.session import control, facts_json, verdicts, view
from tpconfig.session.start import open_session
from tpconfig.session.wish import Wish


async def plan(wish: Wish) -> Planned:
    """Return what ``tp up`` would do; nothing is changed.

    Raises:
        TpError: something stands in the way.
    """
    async with open_session(wish, lambda _: None) as (session, desired):
        answer = await control.ask(session.machine.here.state.socket, {"do": "facts"})
        hosted = [facts_json.from_json(one) for one in (answer or {}).get("hosted", ())]
        wanted = replace(desired, method=session.method)

        async def here() -> MachineFacts:
            facts = await session.machine.facts(wanted, session.method, session.method_problem)
            return replace(facts, hosted=tuple(hosted))

        world = await view.observe(
            session.api, wanted, session=session.identity.id, namespaces=(), machine=here
        )
        found = diff(wanted, world, wish.session.image)
        verdicts.raise_blockers(found)
        return session.planned(found)
