"""A network between ``tp`` and the API server that the test can cut, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.e2e.place import Place
from tests.rig.wan import Wan, endpoint, kubeconfig_through, open_wan

Value = TypeVar("Value")


@dataclass
class Network:
    """Cuts what goes through it."""

    loop: asyncio.AbstractEventLoop
    wan: Wan

    def do(self, what: Callable[[], Value]) -> Value:
        """Call something on the network's own loop."""

        async def called() -> Value:
            return what()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(10)

    def cut(self, *, refuse: bool = False) -> int:
        """Reset every connection; with ``refuse``, new ones too until ``mend``."""
        return self.do(lambda: self.wan.cut(refuse=refuse))

    def black_hole(self) -> None:
        """Carry nothing any more, and tell nobody."""
        self.do(self.wan.black_hole)

    def mend(self) -> None:
        """Carry again what comes from now on."""

        def both() -> None:
            self.wan.cut()
            self.wan.mend()

        self.do(both)


@contextmanager
def network_of(place: Place) -> Iterator[Network]:
    """Have the place's ``tp`` reach its cluster through a network, until the block ends."""
    host, port = endpoint(Path(place.kubeconfig))
    ready = threading.Event()
    found: list[Network] = []
    stop = asyncio.Event()

    async def life() -> None:
        async with open_wan(host, port) as wan:
            kubeconfig_through(wan, Path(place.kubeconfig), to=place.own_kubeconfig)
            found.append(Network(asyncio.get_running_loop(), wan))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(life()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        found[0].loop.call_soon_threadsafe(stop.set)
        thread.join(10)
