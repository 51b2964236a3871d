"""The watches of the fake API server, and every way in which a watch can end."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes import fake_selecting, fake_status
from tests.fakes.fake_store import Change, Store
from tpconfig.cluster.paths import Resource

Object = dict[str, Any]


@dataclass(eq=False)
class Watch:
    """One open watch request."""

    resource: Resource
    namespace: str | None
    matches: fake_selecting.Predicate
    queue: asyncio.Queue[Object | None] = field(default_factory=asyncio.Queue)
    bytes_left: int | None = None

    def take(self, change: Change) -> None:
        """Queue what this watch shows of a change."""
        item = change.after or change.before or {"metadata": {}}
        where = item["metadata"].get("namespace", "")
        if change.resource != self.resource or self.namespace not in (None, where):
            return
        was = change.before is not None and self.matches(change.before)
        now = change.after is not None and self.matches(change.after)
        if now:
            self.queue.put_nowait({"type": "MODIFIED" if was else "ADDED", "object": change.after})
        elif was:
            gone = json.loads(json.dumps(change.before))
            gone["metadata"]["resourceVersion"] = str(change.version)
            self.queue.put_nowait({"type": "DELETED", "object": gone})

    def bookmark(self, version: int) -> None:
        """Queue a bookmark: nothing older will come any more."""
        kind = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        metadata = {"resourceVersion": str(version)}
        self.queue.put_nowait({"type": "BOOKMARK", "object": {**kind, "metadata": metadata}})


@dataclass
class Watches:
    """All open watches, and the faults that a test gives them."""

    store: Store
    bookmark_s: float = 1.0
    open: list[Watch] = field(default_factory=list)
    opened: int = 0
    cut_next_after: int | None = None
    expire_by_status: bool = False

    def __post_init__(self) -> None:
        self.store.listeners.append(self._changed)

    def cut(self, after_bytes: int = 0) -> int:
        """Break every open watch after that many more bytes; return how many there were."""
        for one in self.open:
            one.bytes_left = after_bytes
            if not after_bytes:
                one.queue.put_nowait(None)
        return len(self.open)

    def bookmark(self) -> None:
        """Send a bookmark on every open watch."""
        for one in self.open:
            one.bookmark(self.store.version)

    def fail(self, code: int, reason: str) -> None:
        """Send an ERROR event on every open watch."""
        for one in self.open:
            error = fake_status.StatusError(code, reason, "the fake was asked to fail")
            one.queue.put_nowait({"type": "ERROR", "object": error.body})

    def _changed(self, change: Change) -> None:
        for one in self.open:
            one.take(change)

    async def serve(self, request: web.Request, watch: Watch) -> web.StreamResponse:
        """Answer a watch request until it is over."""
        self._fill(watch, request.query.get("resourceVersion", ""))
        watch.bytes_left, self.cut_next_after = self.cut_next_after, None
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        self.open.append(watch)
        self.opened += 1
        try:
            await response.prepare(request)
            limit_s = float(request.query.get("timeoutSeconds", 1800))
            async with asyncio.timeout(limit_s):
                await self._feed(request, response, watch)
        except TimeoutError:
            await response.write_eof()
        except ConnectionError:
            pass
        finally:
            self.open.remove(watch)
        return response

    def _fill(self, watch: Watch, version: str) -> None:
        """Queue what happened since ``version``; without one, everything there is."""
        if version in ("", "0"):
            for item in self.store.list(watch.resource.kind, watch.namespace, watch.matches):
                watch.queue.put_nowait({"type": "ADDED", "object": item})
            return
        try:
            for change in self.store.since(int(version)):
                watch.take(change)
        except fake_status.StatusError as error:
            if self.expire_by_status:
                raise
            watch.queue.put_nowait({"type": "ERROR", "object": error.body})

    async def _feed(self, request: web.Request, response: web.StreamResponse, watch: Watch) -> None:
        bookmarks = request.query.get("allowWatchBookmarks") == "true"
        while True:
            try:
                async with asyncio.timeout(self.bookmark_s if bookmarks else None):
                    event = await watch.queue.get()
            except TimeoutError:
                watch.bookmark(self.store.version)
                continue
            line = b"" if event is None else json.dumps(event).encode() + b"\n"
            if watch.bytes_left is not None and len(line) >= watch.bytes_left:
                await response.write(line[: watch.bytes_left])
                await asyncio.sleep(0)
                if request.transport is not None:
                    request.transport.close()
                raise ConnectionResetError
            if watch.bytes_left is not None:
                watch.bytes_left -= len(line)
            await response.write(line)
            if event is not None and event["type"] == "ERROR":
                return
