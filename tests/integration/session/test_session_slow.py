"""What takes longer than the Lease lasts, and what others do in the middle of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.fake_apiserver import Write
from tests.fakes.laptop import open_laptop, wanted
from tests.fakes.shop import Shop
from tpconfig.cluster import observe
from tpconfig.errors import TpError
from tpconfig.names import LABEL_SESSION
from tpconfig.session import ending


def is_ours(pod: dict[str, Any]) -> bool:
    return LABEL_SESSION in (pod["metadata"].get("labels") or {})


async def renewed(shop: Shop, *, times: int) -> None:
    """Wait until the Lease has been renewed some times."""
    seen = set()
    async with asyncio.timeout(10):
        while len(seen) <= times:
            seen |= {one["spec"]["renewTime"] for one in shop.fake.store.peek("lease")}
            await asyncio.sleep(0.01)


async def test_the_lease_is_renewed_while_a_session_comes_up_and_goes_down(shop: Shop) -> None:
    """An agent's image that takes minutes, or an original that does, is no silence."""
    before, cluster = shop.exact(), shop.fake.cluster
    async with open_laptop(shop.kubeconfig, "anna", ttl_s=0.2) as anna:
        for begin, starts in (
            (lambda: anna.session.converge(wanted("web", janitor="off")), lambda pod: False),
            (anna.session.undo, is_ours),
        ):
            cluster.starts = starts
            working = asyncio.ensure_future(begin())
            await renewed(shop, times=2)
            assert not working.done()
            cluster.starts = lambda pod: True
            cluster.look_again()
            await working
    assert shop.exact() == before


async def test_a_neighbour_takes_no_journal_off_what_was_stopped_again(shop: Shop) -> None:
    """The owner came back between its two writes: it fails, and the next time all is put back."""
    before, store = shop.exact(), shop.fake.store

    def stop_again(write: Write) -> None:
        if write.method == "PATCH" and "managedFields" in str(write.body):
            shop.fake.before_write = None
            store.update(
                "deployment",
                "shop",
                "web",
                lambda old: {**old, "spec": {**old["spec"], "replicas": 0}},
            )

    async with (
        open_laptop(shop.kubeconfig, "anna") as anna,
        open_laptop(shop.kubeconfig, "ben") as ben,
    ):
        await anna.session.converge(wanted("web", janitor="off"))
        api, who = ben.session.api, anna.session.identity.id
        shop.fake.before_write = stop_again
        for outcome in ("fails", "is put back"):
            world = await observe.observe(api, session="", targets=(), namespaces=["shop"])
            if outcome == "fails":
                with pytest.raises(TpError, match="stopped again"):
                    await ending.undo(api, world, who, lambda _: None)
                web = store.get("deployment", "shop", "web")
                assert web["metadata"]["labels"][LABEL_SESSION] == who
                assert store.peek("lease")
            else:
                await ending.undo(api, world, who, lambda _: None)
    assert shop.exact() == before
