"""``tp plan``: observe and plan, a running session of ours taken into account."""

from __future__ import annotations

from tpconfig.model.events import Planned
from tpconfig.session import control, facts_json, targets, verdicts
from tpconfig.session.executor import Emit
from tpconfig.session.start import open_session
from tpconfig.session.wish import Wish


async def plan(wish: Wish, emit: Emit, *, healing: bool = True) -> Planned:
    """Return what ``tp up`` would do; nothing of the wish is touched.

    What an expired session left in these namespaces is restored, as by every command, unless it is
    not ``healing``.

    Raises:
        TpError: something stands in the way.
    """
    async with open_session(wish, emit) as (session, desired):
        answer = await control.ask(session.machine.here.state.socket, {"do": "facts"})
        hosted = (answer or {}).get("hosted", ())
        session.machine.elsewhere = tuple(facts_json.from_json(one) for one in hosted)
        desired = await targets.resolve(session.api, desired)
        _, found = await session.look(desired, healing=healing)
        verdicts.raise_blockers(found)
        return session.planned(found, desired)
