"""Several people want the same thing: who gets it, who waits, and what everybody is told."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from functools import partial

import pytest

from tests.fakes.laptop import Laptop, open_laptop, wanted
from tests.fakes.shop import Shop
from tpconfig.errors import ConflictError
from tpconfig.model.desired import Desired
from tpconfig.names import LABEL_SESSION
from tpconfig.session import conflict, listing
from tpconfig.session.lifecycle import Session

TRIES = int(os.environ.get("TP_RACES", "20"))
"""``TP_RACES=200`` for a whole evening of two who are always quick."""


async def until(laptop: Laptop, text: str) -> None:
    """Wait until a laptop has said something."""
    async with asyncio.timeout(10):
        while not any(text in one for one in laptop.remarks):
            await asyncio.sleep(0.01)


async def test_of_two_that_race_exactly_one_wins(shop: Shop) -> None:
    """Two laptops at once, two hundred times: one is up, the other has changed nothing."""
    before = shop.exact()
    web = wanted("web", janitor="off")
    async with (
        open_laptop(shop.kubeconfig, "anna") as anna,
        open_laptop(shop.kubeconfig, "ben") as ben,
    ):
        both = (anna.session, ben.session)
        for _ in range(TRIES):
            tried = [one.converge(web) for one in both]
            outcomes = await asyncio.gather(*tried, return_exceptions=True)
            lost = [isinstance(one, ConflictError) for one in outcomes]
            assert sorted(lost) == [False, True], outcomes
            await both[lost.index(True)].undo()
            deployment = shop.fake.store.get("deployment", "shop", "web")
            assert deployment["spec"]["replicas"] == 0
            winner = both[lost.index(False)]
            assert deployment["metadata"]["labels"][LABEL_SESSION] == winner.identity.id
            await winner.undo()
            shop.fake.store.forget()
    assert shop.exact() == before


async def test_first_come_first_served_and_the_dead_are_left_out(shop: Shop) -> None:
    """Anna holds, Ben and Cleo and Dan wait; Ben dies in the queue, Cleo is next, then Dan."""
    async with AsyncExitStack() as stack:
        people = {
            name: await stack.enter_async_context(
                open_laptop(shop.kubeconfig, name, on_conflict="wait", ttl_s=2.0)
            )
            for name in ("anna", "ben", "cleo", "dan")
        }
        web = wanted("web", janitor="off")
        await come_up(people["anna"].session, web)
        queue = {}
        for place, name in enumerate(("ben", "cleo", "dan"), start=1):
            queue[name] = asyncio.ensure_future(come_up(people[name].session, web))
            await until(people[name], f"place {place}")
        queue["ben"].cancel()
        with pytest.raises(ConflictError, match="cannot swap"):
            async with open_laptop(shop.kubeconfig, "eve") as eve:
                await eve.session.converge(web)
        await people["anna"].session.undo()
        async with asyncio.timeout(20):
            await queue["cleo"]
        assert not queue["dan"].done()
        await until(people["dan"], "held by session " + people["cleo"].session.identity.id)
        await people["cleo"].session.undo()
        async with asyncio.timeout(20):
            await queue["dan"]
        await people["dan"].session.undo()
    assert not shop.ours()


async def test_a_takeover_undoes_theirs_first(shop: Shop) -> None:
    """All of their session goes back, their Lease tells them, and ours is up."""
    async with (
        open_laptop(shop.kubeconfig, "anna") as anna,
        open_laptop(shop.kubeconfig, "ben", on_conflict="takeover") as ben,
    ):
        await anna.session.converge(wanted("web", "api"))
        await come_up(ben.session, wanted("web"))
        replicas = {key[1:]: one["spec"].get("replicas") for key, one in shop.exact().items()}
        assert replicas["shop", "api"] is None or replicas["shop", "api"] == 2
        lease = shop.fake.store.get("lease", "shop", f"tp-{anna.session.identity.id}")
        assert "takeover" in lease["metadata"]["annotations"]["tpconfig.dev/ended"]
        assert "tpconfig.dev/session" not in lease["metadata"]["labels"]
        await ben.session.undo()


async def test_an_interrupted_wait_leaves_the_queue(shop: Shop) -> None:
    """Nothing of it is left, and nobody waits for it."""
    async with (
        open_laptop(shop.kubeconfig, "anna") as anna,
        open_laptop(shop.kubeconfig, "ben", on_conflict="wait") as ben,
    ):
        await anna.session.converge(wanted("web", janitor="off"))
        waiting = asyncio.ensure_future(come_up(ben.session, wanted("web")))
        await until(ben, "place 1")
        (first, second) = listing.listed((await anna.session.look(Desired(), ask=False))[0])
        assert {first.state, second.state} == {"up", "waiting"}
        waiting.cancel()
        await asyncio.wait({waiting})
        await ben.session.undo()
        await anna.session.undo()
    assert not shop.ours()


async def come_up(session: Session, desired: Desired) -> None:
    """Have a session come up as ``tp up`` does."""
    await conflict.converge(session, desired, partial(session.converge, desired))
