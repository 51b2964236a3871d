"""Raw requests to one API server, dicts in and dicts out.

Typed models would cost half a second of imports and drop the fields that they do not know, so
nothing here knows what an object looks like.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tpconfig import names
from tpconfig.cluster import failures, paths
from tpconfig.cluster.http import aiohttp
from tpconfig.cluster.transport import Call, Patience, Query, Transport

if TYPE_CHECKING:
    from tpconfig.cluster.connections import Way
    from tpconfig.cluster.kubeconfig import Access
    from tpconfig.model.desired import Bastion

Object = dict[str, Any]
Objects = list[Object]

MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

_PAGE: Final = 500
_ASKING: Final = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
"""Groups whose objects are questions: creating one twice changes nothing."""


@asynccontextmanager
async def open_api(
    *,
    context: str | None,
    kubeconfig: str | None = None,
    bastion: Bastion | None = None,
    warned: Callable[[str], None] | None = None,
    patience: Patience | None = None,
) -> AsyncIterator[Api]:
    """Open the way to a cluster; nothing is sent before the first request.

    Args:
        context: the kubeconfig's context; None for its current one.
        kubeconfig: a file; None for what kubectl would take.
        bastion: the SSH jump host to go through; it is logged in to before this yields.
        warned: called once with each warning that the server sends.
        patience: how long to wait for what.

    Raises:
        UsageError: the kubeconfig is missing or broken, or has no such context.
        NoPermissionError: the credentials cannot be had.
        UnreachableError: the bastion does not let us through.
    """
    from tpconfig.cluster import kubeconfig as loader  # costs 120 ms: not before it is needed

    access = await loader.load(context=context, path=kubeconfig)
    async with AsyncExitStack() as opened:
        way: Way | None = None
        if bastion is not None:
            from tpconfig.cluster.bastion.tunnel import open_tunnel  # costs 0.7 s

            way = (await opened.enter_async_context(open_tunnel(bastion, access.server))).address

        async def reload() -> Access:
            again = await loader.load(context=access.context, path=kubeconfig)
            return again.through(way)

        api = Api(access.through(way), reload, patience=patience or Patience())
        api.on_warning = warned
        opened.push_async_callback(api.close)
        yield api


class Api:
    """One cluster as one user. Raises what ``failures`` defines."""

    def __init__(
        self, access: Access, reload: Callable[[], Awaitable[Access]], *, patience: Patience
    ) -> None:
        self._transport = Transport(access, reload, patience=patience)

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._transport.access.server

    @property
    def context(self) -> str:
        """The kubeconfig's context."""
        return self._transport.access.context

    @property
    def namespace(self) -> str:
        """The namespace of the context."""
        return self._transport.access.namespace

    @property
    def on_warning(self) -> Callable[[str], None] | None:
        """Called once with each warning that the server sends."""
        return self._transport.on_warning

    @on_warning.setter
    def on_warning(self, warned: Callable[[str], None] | None) -> None:
        self._transport.on_warning = warned

    def server_time(self) -> datetime:
        """Return the API server's idea of now: its last answer's Date, plus the time since.

        Raises:
            RuntimeError: it has not answered yet.
        """
        return self._transport.server_time()

    async def get(self, path: str, query: Query | None = None) -> Object:
        """Return one object, or whatever else a path gives (``/version``)."""
        return await self._object(Call("GET", path, query or {}, repeatable=True))

    async def list(
        self,
        path: str,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        query: Query | None = None,
    ) -> Objects:
        """Return every object of a collection, each with its ``kind`` and ``apiVersion``."""
        chosen = {**(query or {}), **selectors(label_selector, field_selector)}
        return (await self.listing(path, chosen))[0]

    async def listing(self, path: str, query: Query) -> tuple[Objects, str]:
        """Return every object of a collection, and the version from where a watch goes on."""
        items: Objects = []
        token = ""
        try:
            while True:
                more = {"limit": str(_PAGE)} | ({"continue": token} if token else {})
                page = await self._object(Call("GET", path, {**query, **more}, repeatable=True))
                items += _items(page)
                token = page["metadata"].get("continue") or ""
                if not token:
                    break
        except failures.GoneError:  # turning the pages took too long
            page = await self._object(Call("GET", path, query, repeatable=True))
            items = _items(page)
        return items, page["metadata"]["resourceVersion"]

    async def create(
        self, path: str, body: Mapping[str, Any], query: Query | None = None
    ) -> Object:
        """Create an object in the collection ``path`` and return it as the server stored it."""
        where = paths.locate(path)
        call = Call(
            "POST",
            path,
            {"fieldManager": names.FIELD_MANAGER, **(query or {})},
            _encoded(body),
            repeatable=where is not None and where.group in _ASKING,
        )
        return await self._object(call)

    async def patch(
        self,
        path: str,
        body: Any,
        *,
        content_type: str = MERGE_PATCH,
        field_manager: str = names.FIELD_MANAGER,
        query: Query | None = None,
    ) -> Object:
        """Change an object and return it. A ``resourceVersion`` in the patch is a condition."""
        wanted = {"fieldManager": field_manager, **(query or {})}
        return await self._object(Call("PATCH", path, wanted, _encoded(body), content_type))

    async def replace(
        self, path: str, body: Mapping[str, Any], query: Query | None = None
    ) -> Object:
        """Put an object in the place of the one that has its ``resourceVersion``."""
        wanted = {"fieldManager": names.FIELD_MANAGER, **(query or {})}
        return await self._object(Call("PUT", path, wanted, _encoded(body)))

    async def delete(
        self,
        path: str,
        *,
        grace_s: int | None = None,
        propagation: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Object:
        """Delete an object; with ``uid`` only that very one, not its namesake."""
        conditions = {"uid": uid, "resourceVersion": resource_version}
        wanted: Object = {
            "gracePeriodSeconds": grace_s,
            "propagationPolicy": propagation,
            "preconditions": {key: value for key, value in conditions.items() if value} or None,
        }
        options = {key: value for key, value in wanted.items() if value is not None}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        repeatable = uid is not None or resource_version is not None
        call = Call("DELETE", path, {}, _encoded(body), repeatable=repeatable)
        return await self._object(call)

    async def request_text(self, path: str, query: Query | None = None) -> str:
        """Return a text (a Pod's log); bytes that are no UTF-8 are replaced."""
        call = Call("GET", path, query or {}, accept="*/*", repeatable=True)
        return (await self._transport.answer(call)).decode("utf-8", "replace")

    @asynccontextmanager
    async def stream(self, path: str, query: Query) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that goes on (a watch, a followed log) and give its bytes as they come.

        Breaks raise ``aiohttp.ClientError`` or ``OSError``: the caller knows where to go on.
        """
        call = Call("GET", path, query, accept="*/*")
        response = await self._transport.send(call)
        try:
            if response.status >= 400:
                raise await self._transport.refusal(call, response)
            yield response.content.iter_any()
        finally:
            response.close()

    async def upgrade(
        self, path: str, query: Query, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Ask for another protocol on the connection; the caller owns it, and closes it."""
        call = Call("GET", path, query)
        began_s = time.monotonic()
        try:
            response = await self._transport.send(call, {"Accept": "*/*", **headers})
        except (aiohttp.ClientError, OSError) as error:
            waited_s = time.monotonic() - began_s
            raise failures.unreachable(self.server, waited_s, error) from error
        if response.status == 101:
            return response
        try:
            raise await self._transport.refusal(call, response)
        finally:
            response.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()

    async def _object(self, call: Call) -> Object:
        body = await self._transport.answer(call)
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise failures.of_answer(502, body, method=call.method, path=call.path)
        return parsed


def selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    """Return the part of a query that chooses objects."""
    chosen = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in chosen.items() if value is not None}


def _items(page: Object) -> Objects:
    kind = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
    return [{**kind, **item} for item in page.get("items") or ()]


def _encoded(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
