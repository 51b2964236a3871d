"""Killed before and after every write, and every answer lost: what is left is always put back.

A file with one workload of each kind comes up, is reloaded twice and goes down; this story is cut
at each of its writes. Then the janitors alone, and in a second world ``down`` from another folder,
give every object back exactly.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.every_kind import create_every_kind
from tests.fakes.fake_apiserver import Drop, Write, fake_api_server
from tests.fakes.fake_store import copied
from tests.fakes.laptop import create_shop, open_laptop
from tests.fakes.shop import Shop
from tpconfig.cluster import apply, patches
from tpconfig.cluster.api import Api, open_api
from tpconfig.cluster.paths import path_of
from tpconfig.cluster.watch import wait_for
from tpconfig.errors import TpError
from tpconfig.janitor.api import Api as JanitorApi
from tpconfig.janitor.duty import Janitor
from tpconfig.model import kinds
from tpconfig.model.desired import Desired, Run, Workload
from tpconfig.model.target import Target
from tpconfig.names import LABEL_ROLE

RUN = Run(("serve",), "/src")

SHARE = float(os.environ.get("TP_CRASH_SHARE", "0.3"))
"""Which part of the points is tried, about 170 of 560; 1 for all of them."""

LEAST = 250
"""A story with fewer points is not the one that is meant here."""

WRONG = ("before", "after", "unheard", "unanswered")
"""Killed before or after a write; or it lives, and the request or the answer is lost."""


def wish(*names: str, far: bool = False, init: bool = True) -> Desired:
    """Wish that workloads are swapped; ``far``: and one of another namespace."""
    targets = [Target("every", kind, kind) for kind in names]
    targets += [Target("far", "deployment", "api")] if far else []
    workloads = (
        Workload(target.kind + "-" + target.namespace, target, init=init, run=RUN)
        for target in targets
    )
    return Desired(tuple(workloads), method="none", janitor="auto")


def story() -> list[Desired]:
    """Return the wishes of a session's life, in which every kind comes, changes and goes."""
    return [
        wish(*kinds.SWAPPABLE),
        wish("deployment", "replicaset", "daemonset", far=True, init=False),
        wish("replicaset", "statefulset", "cronjob", init=False),
    ]


@dataclass
class Fault:
    """Strikes at one write; ``struck`` tells where that was."""

    at: int
    wrong: str
    kill: Callable[[], object]
    struck: str = ""
    seen: int = 0
    _dead: bool = field(default=False)

    def before(self, write: Write) -> None:
        """Let a write through, or not."""
        if self._dead:
            raise Drop
        self.seen += 1
        if self.seen == self.at and self.wrong in ("before", "unheard"):
            self._strike(write)

    def after(self, write: Write) -> None:
        """Let an answer through, or not."""
        if self._dead:
            raise Drop
        if self.seen == self.at and not self.struck:
            self._strike(write)

    def _strike(self, write: Write) -> None:
        self.struck = f"{self.wrong} {write.method} {write.path}"
        if self.wrong in ("before", "after"):
            self._dead = True
            self.kill()
        raise Drop


async def live(world: World, fault: Fault) -> None:
    """Live the story until the fault ends it."""
    async with open_laptop(world.api, "anna", reconnect_s=0.0) as anna:

        async def life() -> None:
            try:
                for one in story():
                    await anna.session.converge(one)
            except TpError:
                pass  # `tp up` undoes what it did, and so does this
            await anna.session.undo()

        task = asyncio.ensure_future(life())
        fault.kill = task.cancel
        fake = world.fake
        fake.before_write, fake.after_write = fault.before, fault.after
        try:
            await task
        except (asyncio.CancelledError, TpError):
            if not fault.struck:
                raise
        finally:
            fake.before_write = fake.after_write = None


class Hasty(JanitorApi):
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


async def by_janitors(world: World) -> bool:
    """Heal by the janitors that are there alone; return whether every Lease had one."""
    fake = world.fake
    with_janitor = {
        one["metadata"]["namespace"]
        for one in fake.store.peek("deployment")
        if (one["metadata"].get("labels") or {}).get(LABEL_ROLE) == "janitor"
    }
    leases = [one["metadata"] for one in fake.store.peek("lease")]
    for lease in leases:
        if lease["namespace"] in with_janitor:
            session = lease["name"].removeprefix("tp-")
            await asyncio.to_thread(sweep, fake.url, lease["namespace"], session)
    return {one["namespace"] for one in leases} == with_janitor


async def by_down(world: World) -> bool:
    """Heal by ``down`` of the same session, from another folder; always whole."""
    async with open_laptop(world.api, "anna") as again:
        again.session.touched |= {"every", "far"}
        await again.session.undo()
    return True


async def collected(world: World) -> None:
    """Wait until the garbage collector has been round."""
    async with asyncio.timeout(10):
        while world.ours():
            await asyncio.sleep(0.002)


@dataclass
class World(Shop):
    """One workload of each kind, and one more in another namespace."""

    api: Api


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Namespaces ``every`` and ``far``, up and ready."""
    monkeypatch.setattr(apply, "NODES_NOTICE_S", 0.0)  # nobody calls
    async with fake_api_server() as fake:
        fake.cluster.tick_s = 0.002  # one round of the controllers for many changes
        kubeconfig = fake.write_kubeconfig(tmp_path, namespace="every")
        async with open_api(context=None, kubeconfig=kubeconfig) as api:
            for namespace in ("every", "far"):
                await api.create(path_of("namespace"), {"metadata": {"name": namespace}})
            await create_every_kind(api, "every")
            await create_shop(api, lambda kind: path_of(kind, "far"), "api")
            for kind in ("deployment", "replicaset", "statefulset", "daemonset"):
                await wait_for(api, path_of(kind, "every", kind), _has_ready, 10.0)
            yield World(fake, kubeconfig, api)


def _has_ready(found: dict[str, Any] | None) -> bool:
    return found is not None and patches.ready_pods(found) > 0


async def points(world: World) -> list[tuple[int, str]]:
    """Return the points that are tried; the seed moves with the share, so all come up."""
    nowhere, before = Fault(0, "before", lambda: None), world.exact()
    await live(world, nowhere)
    assert world.exact() == before
    every = [(number, wrong) for number in range(1, nowhere.seen + 1) for wrong in WRONG]
    assert len(every) >= LEAST
    chosen = random.Random(os.environ.get("TP_CRASH_SEED", "1"))
    return sorted(chosen.sample(every, max(1, round(SHARE * len(every)))))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("healed", [by_janitors, by_down], ids=["janitor", "down"])
async def test_whatever_was_cut_is_given_back(
    world: World, healed: Any, record_property: Callable[[str, object], None]
) -> None:
    """At every point: each object as before, and nothing of ours left."""
    before, tried, store = world.exact(), 0, world.fake.store
    fresh = copied(store.objects)
    for number, wrong in await points(world):
        fault = Fault(number, wrong, lambda: None)
        await live(world, fault)
        if fault.struck:
            tried += 1
            whole = await healed(world)
            assert world.exact() == before, (number, fault.struck)
            if whole:
                await collected(world)
        store.objects.clear()
        store.objects.update(copied(fresh))
        store.forget()
    record_property("points", tried)
    assert tried >= SHARE * LEAST
