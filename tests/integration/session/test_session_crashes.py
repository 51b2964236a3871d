"""Killed before and after every write, and every answer lost: what is left is always put back.

A story of three files and a ``down`` is cut at each of its writes. Then the janitors alone, and in
a second world ``down`` from another folder, give every object back exactly.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.fake_apiserver import Drop, Write
from tests.fakes.fake_store import copied
from tests.fakes.laptop import open_laptop, wanted
from tests.fakes.shop import Shop
from tpconfig.errors import TpError
from tpconfig.janitor.api import Api
from tpconfig.janitor.duty import Janitor
from tpconfig.model.desired import Desired
from tpconfig.names import LABEL_ROLE

SHARE = float(os.environ.get("TP_CRASH_SHARE", "0.1"))
"""Which part of the points is tried; 1 for all of them."""

WRONG = ("before", "after", "unanswered")


def story() -> list[Desired]:
    """Return the wishes of a session's life: up, one more, another one instead, and down."""
    web, far = wanted("web"), wanted("api", namespace="far")
    both = wanted("web", "api")
    return [web, Desired((*both.workloads[:1], *far.workloads), "none", janitor="auto"), both, far]


@dataclass
class Fault:
    """Strikes at one write; ``struck`` tells where that was."""

    at: int
    wrong: str
    kill: Callable[[], object]
    struck: str = ""
    _seen: int = 0
    _dead: bool = field(default=False)

    def before(self, write: Write) -> None:
        """Let a write through, or not."""
        if self._dead:
            raise Drop
        self._seen += 1
        if self._seen == self.at and self.wrong == "before":
            self._strike(write)

    def after(self, write: Write) -> None:
        """Let an answer through, or not."""
        if self._dead:
            raise Drop
        if self._seen == self.at and self.wrong != "before" and not self.struck:
            self._strike(write)

    def _strike(self, write: Write) -> None:
        self.struck = f"{self.wrong} {write.method} {write.path}"
        if self.wrong != "unanswered":
            self._dead = True
            self.kill()
        raise Drop


async def live(shop: Shop, fault: Fault) -> None:
    """Live the story until the fault ends it."""
    async with open_laptop(shop.kubeconfig, "anna", reconnect_s=0.0) as anna:

        async def life() -> None:
            try:
                for wish in story():
                    await anna.session.converge(wish)
            except TpError:
                pass  # `tp up` undoes what it did, and so does this
            await anna.session.undo()

        task = asyncio.ensure_future(life())
        fault.kill = task.cancel
        shop.fake.before_write, shop.fake.after_write = fault.before, fault.after
        try:
            await task
        except (asyncio.CancelledError, TpError):
            pass
        finally:
            shop.fake.before_write = shop.fake.after_write = None


class Hasty(Api):
    """An API whose waits take no time: the clock is moved instead."""

    now_s = 0.0

    def wait_for_change(self, collection: str, name: str, version: str, within_s: float) -> None:
        """Let all of the time pass."""
        self.sleep(within_s)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


def sweep(server: str, namespace: str, session: str) -> None:
    """Be the janitor of a namespace, until its Lease is gone."""
    api = Hasty(server, token=Path("/none"), authority=Path("/none"))
    janitor = Janitor(
        api, namespace, session, "pod", lambda *_, **__: None, lambda: api.now_s, api.sleep
    )
    while janitor.step():
        assert api.now_s < 1000, "the janitor does not get there"


async def by_janitors(shop: Shop) -> bool:
    """Heal by the janitors that are there alone; return whether every Lease had one."""
    fake = shop.fake
    with_janitor = {
        one["metadata"]["namespace"]
        for one in fake.store.list("deployment")
        if (one["metadata"].get("labels") or {}).get(LABEL_ROLE) == "janitor"
    }
    leases = [one["metadata"] for one in fake.store.list("lease")]
    for lease in leases:
        if lease["namespace"] in with_janitor:
            session = lease["name"].removeprefix("tp-")
            await asyncio.to_thread(sweep, fake.url, lease["namespace"], session)
    return {one["namespace"] for one in leases} == with_janitor


async def by_down(shop: Shop) -> bool:
    """Heal by ``down`` of the same session, from another folder; always whole."""
    async with open_laptop(shop.kubeconfig, "anna") as again:
        again.session.touched |= {"shop", "far"}
        await again.session.undo()
    return True


async def collected(shop: Shop) -> None:
    """Wait until the garbage collector has been round."""
    async with asyncio.timeout(10):
        while shop.ours():
            await asyncio.sleep(0.002)


def points() -> list[tuple[int, str]]:
    """Return the points that are tried; the seed moves with the share, so all come up."""
    every = [(number, wrong) for number in range(1, 58) for wrong in WRONG]
    chosen = random.Random(os.environ.get("TP_CRASH_SEED", "1"))
    return sorted(chosen.sample(every, max(1, round(SHARE * len(every)))))


@pytest.mark.parametrize("healed", [by_janitors, by_down], ids=["janitor", "down"])
async def test_whatever_was_cut_is_given_back(
    shop: Shop, healed: Any, record_property: Callable[[str, object], None]
) -> None:
    """At every point: each object of the shop as before, and nothing of ours left."""
    before, tried = shop.exact(), 0
    shop.fake.cluster.tick_s = 0.002  # one round of the controllers for many changes
    fresh = copied(shop.fake.store.objects)
    for number, wrong in points():
        fault = Fault(number, wrong, lambda: None)
        await live(shop, fault)
        if fault.struck:
            tried += 1
            whole = await healed(shop)
            assert shop.exact() == before, (number, fault.struck)
            if whole:
                await collected(shop)
        shop.fake.store.objects.clear()
        shop.fake.store.objects.update(copied(fresh))
        shop.fake.store.forget()
    record_property("points", tried)
    assert tried >= SHARE * 150
