"""List and watch: one stream of what is there and what becomes of it, through every cut.

The kubernetes package's Watch repeats a 410 for ever; here an expired version means listing again,
and the difference to what was known comes out as ordinary events, so a consumer that keeps a
mirror never has to start over.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tpconfig.cluster import failures, paths
from tpconfig.cluster.api import Api, Object, selectors
from tpconfig.cluster.http import aiohttp
from tpconfig.cluster.transport import backoff_s
from tpconfig.errors import TpError, UnreachableError

_SERVER_LIMIT_S: Final = (240, 300)
"""The server ends a watch after this long; a spread, so that not all come back at once."""

_GRACE_S: Final = 15
"""How much later than asked for an end is still believed to come."""


class EventType(StrEnum):
    """What became of an object; SYNCED says that everything there was has been told."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    SYNCED = "SYNCED"


@dataclass(frozen=True, slots=True)
class Event:
    """One change; ``object`` is empty for SYNCED, the last known state for DELETED."""

    type: EventType
    object: Object


class NotYetError(TpError, TimeoutError):
    """Something did not happen in time; ``last`` is how the object looked, None if it was gone."""

    def __init__(self, message: str, last: Object | None) -> None:
        super().__init__(message)
        self.last = last


class _Mirror:
    """What the consumer knows, by namespace and name."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Object] = {}

    def relist(self, items: list[Object]) -> list[Event]:
        """Return the events that turn what was known into ``items``."""
        fresh = {_key(item): item for item in items}
        gone = [self._known[key] for key in self._known if key not in fresh]
        events = [Event(EventType.DELETED, one) for one in gone]
        for item in items:
            events += self._changes(item)
        self._known = fresh
        return events

    def take(self, kind: str, item: Object) -> list[Event]:
        """Return what the consumer has to hear of one event of the server."""
        if kind == "DELETED":
            self._known.pop(_key(item), None)
            return [Event(EventType.DELETED, item)]
        events = self._changes(item)
        self._known[_key(item)] = item
        return events

    def _changes(self, item: Object) -> list[Event]:
        before = self._known.get(_key(item))
        if before is None:
            return [Event(EventType.ADDED, item)]
        if before["metadata"].get("uid") != item["metadata"].get("uid"):
            return [Event(EventType.DELETED, before), Event(EventType.ADDED, item)]
        if before["metadata"].get("resourceVersion") == item["metadata"].get("resourceVersion"):
            return []
        return [Event(EventType.MODIFIED, item)]


async def watch(
    api: Api,
    path: str,
    *,
    field_selector: str | None = None,
    label_selector: str | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield what is in a collection as ADDED, then SYNCED, then every change, without an end.

    After a gap the difference is yielded, and SYNCED again. Refusals (no permission, no such kind)
    are raised; cuts are survived, but an API server that cannot be reached is raised at the start.
    """
    chosen = selectors(label_selector, field_selector)
    mirror = _Mirror()
    version, synced, broken = "", False, 0
    while True:
        try:
            if not version:
                items, version = await api.listing(path, chosen)
                for event in mirror.relist(items):
                    yield event
                yield Event(EventType.SYNCED, {})
                synced, broken = True, 0
            async with aclosing(_changes(api, path, {**chosen, "resourceVersion": version})) as raw:
                async for kind, item in raw:
                    version, broken = item["metadata"]["resourceVersion"], 0
                    if kind != "BOOKMARK":
                        for event in mirror.take(kind, item):
                            yield event
        except failures.GoneError:
            version = ""
        except (failures.ThrottledError, failures.ServerError, UnreachableError):
            if not synced:
                raise
        except (aiohttp.ClientError, OSError, ValueError):
            pass  # a cut, also in the middle of a line: go on at the last version
        await asyncio.sleep(backoff_s(broken))
        broken += 1


async def wait_for(
    api: Api,
    path: str,
    predicate: Callable[[Object | None], Any],
    timeout_s: float,
) -> Object | None:
    """Wait until one object, or its absence (None), satisfies ``predicate``; return it.

    Raises:
        NotYetError: it did not within ``timeout_s``; also a TimeoutError.
        ApiError: the server refuses.
    """
    collection, name = paths.collection_of(path)
    current: Object | None = None
    synced = False
    try:
        async with (
            asyncio.timeout(timeout_s),
            aclosing(watch(api, collection, field_selector=f"metadata.name={name}")) as events,
        ):
            async for event in events:
                match event.type:
                    case EventType.SYNCED:
                        synced = True
                    case EventType.DELETED:
                        current = None
                    case EventType.ADDED | EventType.MODIFIED:
                        current = event.object
                if (synced or current is not None) and predicate(current):
                    return current
    except TimeoutError:
        pass
    raise NotYetError(f"{paths.locate(path)} {name}: not within {timeout_s:.0f} s", current)


async def _changes(
    api: Api, path: str, query: dict[str, str]
) -> AsyncGenerator[tuple[str, Object], None]:
    """Yield the events of one watch request until it ends."""
    limit_s = random.randint(*_SERVER_LIMIT_S)
    wanted = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(limit_s)}
    ends_s = asyncio.get_running_loop().time() + limit_s + _GRACE_S
    line = bytearray()
    async with api.stream(path, {**query, **wanted}) as pieces:
        while True:
            # Around the read alone: a time limit around a `yield` would cancel the consumer.
            async with asyncio.timeout_at(ends_s):
                piece = await anext(pieces, None)
            if piece is None:
                return
            *ended, rest = piece.split(b"\n")
            for part in ended:
                line += part
                if line:
                    yield _event(bytes(line), path)
                line.clear()
            line += rest


def _event(line: bytes, path: str) -> tuple[str, Object]:
    event = json.loads(line)
    if event["type"] == "ERROR":
        raise failures.of_status(event["object"], path=path)
    return event["type"], event["object"]


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
