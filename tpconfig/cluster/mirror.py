"""One list and one watch for everybody who waits for something in the same collection.

Twenty workloads that come up together would otherwise list and watch the same Pods twenty times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from tpconfig.cluster import paths
from tpconfig.cluster.api import Api, Object
from tpconfig.cluster.watch import EventType, watch

T = TypeVar("T")


class Mirror:
    """What a collection holds, by name, as far as the watch has told."""

    def __init__(self) -> None:
        self._objects: dict[str, Object] = {}
        self._synced = False
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    async def until(self, satisfied: Callable[[Mapping[str, Object]], T | None]) -> T:
        """Wait until ``satisfied`` returns something else than None; it sees whole states alone.

        Raises:
            ApiError: the collection may not be read, or is not served.
        """
        while True:
            changed = self._changed
            if self._failure is not None:
                raise self._failure
            if self._synced and (found := satisfied(self._objects)) is not None:
                return found
            await changed.wait()

    async def follow(self, api: Api, path: str, selector: str | None) -> None:
        """Keep the mirror current until cancelled; a refusal is kept for who waits."""
        try:
            async for event in watch(api, path, label_selector=selector):
                match event.type:
                    case EventType.SYNCED:
                        self._synced = True
                    case EventType.DELETED:
                        self._objects.pop(event.object["metadata"]["name"], None)
                    case EventType.ADDED | EventType.MODIFIED:
                        self._objects[event.object["metadata"]["name"]] = event.object
                if self._synced:
                    self._tell()
        except Exception as error:
            self._failure = error
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Mirrors:
    """The mirrors of a namespace's collections, each opened when it is first asked for."""

    def __init__(self, api: Api, group: asyncio.TaskGroup) -> None:
        self._api = api
        self._group = group
        self._open: dict[tuple[str, str | None], tuple[Mirror, asyncio.Task[None]]] = {}

    def of(self, kind: str, namespace: str, selector: str | None = None) -> Mirror:
        """Return the mirror of a kind in a namespace, of what a label selector chooses."""
        path = paths.path_of(kind, namespace)
        if (path, selector) not in self._open:
            mirror = Mirror()
            task = self._group.create_task(mirror.follow(self._api, path, selector))
            self._open[path, selector] = mirror, task
        return self._open[path, selector][0]

    def close(self) -> None:
        """Stop following."""
        for _, task in self._open.values():
            task.cancel()


@asynccontextmanager
async def open_mirrors(api: Api) -> AsyncIterator[Mirrors]:
    """Have mirrors while the block runs; what the block raises comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            mirrors = Mirrors(api, group)
            try:
                yield mirrors
            finally:
                mirrors.close()
    except BaseExceptionGroup as errors:  # the block's alone: mirrors keep theirs
        raise errors.exceptions[0] from None
