"""A Kubernetes API server in one process; it passes the same contract tests as a real one.

``fake_api_server()`` runs it; what it keeps is in ``store``, who may do what in ``access``, and
what goes wrong is up to the hooks: ``before_write`` and ``after_write`` see every write and may
answer something else, drop the connection, or end the test's own process.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes import fake_access, fake_patching, fake_rules, fake_selecting, fake_status
from tests.fakes.fake_access import Access, Wanted
from tests.fakes.fake_cluster import Cluster
from tests.fakes.fake_forwarding import Forwarding
from tests.fakes.fake_store import Store
from tests.fakes.fake_watching import Watch, Watches
from tpconfig.cluster import paths
from tpconfig.cluster.failures import verb_of

Object = dict[str, Any]

_PATCHES = {
    "application/merge-patch+json": fake_patching.merge,
    "application/strategic-merge-patch+json": fake_patching.strategic,
    "application/json-patch+json": fake_patching.json_patch,
    "application/apply-patch+yaml": fake_patching.strategic,
}


class Drop(Exception):  # noqa: N818 - it is what to do, not what went wrong
    """Raised by a hook: break the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write, as the hooks see it; ``number`` counts from 1."""

    number: int
    method: str
    path: str
    body: Any
    user: str


Hook = Callable[[Write], web.Response | Awaitable[web.Response | None] | None]


class FakeApiServer:
    """The server's parts, and what a test may turn."""

    def __init__(self, *, simulate: bool) -> None:
        self.store = Store()
        self.access = Access()
        self.watches = Watches(self.store)
        self.cluster = Cluster(self.store, simulate=simulate)
        self.forwarding = Forwarding(self.store)
        self.logs: dict[tuple[str, str, str], str] = {}
        self.warnings: list[str] = []
        self.before_write: Hook | None = None
        self.after_write: Hook | None = None
        self.requests: list[tuple[str, str]] = []
        self.writes = 0
        self.url = ""
        self._throttled = 0
        self._retry_after_s = 0

    def throttle(self, count: int, *, retry_after_s: int = 0) -> None:
        """Answer the next ``count`` requests with 429."""
        self._throttled, self._retry_after_s = count, retry_after_s

    def write_kubeconfig(
        self, folder: Path, *, token: str | None = None, namespace: str | None = None
    ) -> str:
        """Write a kubeconfig for this server into ``folder`` and return its path."""
        context = {"cluster": "fake", "user": "fake"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "contexts": [
                {
                    "name": "fake",
                    "context": context | ({"namespace": namespace} if namespace else {}),
                }
            ],
            "users": [{"name": "fake", "user": {"token": token} if token else {}}],
        }
        file = folder / "fake.kubeconfig"
        file.write_text(json.dumps(config))
        return str(file)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        self.requests.append((request.method, request.path_qs))
        try:
            if self._throttled:
                self._throttled -= 1
                raise fake_status.StatusError(429, "TooManyRequests", "too many requests")
            response = await self._route(request)
        except fake_status.StatusError as error:
            response = web.json_response(error.body, status=error.code)
            if error.code == 429:
                response.headers["Retry-After"] = str(self._retry_after_s)
        except Drop:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError from None
        if not response.prepared:
            response.headers["Date"] = format_datetime(self.store.now(), usegmt=True)
        return response

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.3"})
        where = paths.locate(request.path)
        kinds = {(one.group, one.plural): one for one in paths.RESOURCES.values()}
        resource = kinds.get((where.group, where.resource)) if where else None
        if where is None or resource is None:
            return web.Response(status=404, text="404 page not found\n")
        user = self.access.user_of(request.headers.get("Authorization"))
        watching = request.query.get("watch") in ("true", "1")
        wanted = Wanted(
            verb=_verb(request, where, watching),
            group=where.group,
            resource=where.resource,
            namespace=where.namespace or "",
            name=where.name or _named(request),
            subresource=where.subresource or "",
        )
        self.access.check(user, wanted)
        target = _Target(resource, where.namespace, where.name, where.subresource)
        if request.method == "GET":
            return await self._read(request, target, watching)
        return await self._write(request, target, user)

    async def _read(
        self, request: web.Request, target: _Target, watching: bool
    ) -> web.StreamResponse:
        kind, namespace = target.resource.kind, target.namespace
        if target.subresource == "portforward":
            return await self.forwarding.serve(request, namespace or "", target.name or "")
        if target.name is not None:
            found = self.store.get(kind, namespace or "", target.name)
            if target.subresource == "log":
                return web.Response(text=self._log(request, found))
            return web.json_response(found)
        matches = _selector(request, kind)
        if watching:
            watch = Watch(target.resource, namespace, matches)
            return await self.watches.serve(request, watch)
        return self._page(request, self.store.list(kind, namespace, matches), target.resource)

    def _page(
        self, request: web.Request, items: list[Object], resource: paths.Resource
    ) -> web.Response:
        limit, token = int(request.query.get("limit", 0)), request.query.get("continue", "")
        version, start = self.store.version, 0
        if token:
            version, start = json.loads(base64.b64decode(token))
            if version < self.store.oldest:
                raise fake_status.StatusError(
                    410, "Expired", "The provided continue parameter is too old"
                )
        metadata: Object = {"resourceVersion": str(version)}
        if limit and len(items) > start + limit:
            position = json.dumps([version, start + limit]).encode()
            metadata["continue"] = base64.b64encode(position).decode()
            metadata["remainingItemCount"] = len(items) - start - limit
        shown = items[start : start + limit] if limit else items
        bare = [{k: v for k, v in one.items() if k not in ("apiVersion", "kind")} for one in shown]
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return web.json_response({**head, "metadata": metadata, "items": bare})

    def _log(self, request: web.Request, pod: Object) -> str:
        metadata = pod["metadata"]
        container = request.query.get("container", pod["spec"]["containers"][0]["name"])
        text = self.logs.get((metadata["namespace"], metadata["name"], container), "")
        tail = int(request.query.get("tailLines", 0))
        return "".join(text.splitlines(keepends=True)[-tail:])

    async def _write(
        self, request: web.Request, target: _Target, user: fake_access.User
    ) -> web.Response:
        text = await request.text()
        body = json.loads(text) if text else {}
        if target.resource.group in ("authorization.k8s.io", "authentication.k8s.io"):
            return web.json_response(
                fake_access.answer(target.resource.kind, user, body), status=201
            )
        self.writes += 1
        write = Write(self.writes, request.method, request.path, body, user.name)
        answer = await _hooked(self.before_write, write)
        if answer is None:
            answer = self._carry_out(request, target, body)
            answer = await _hooked(self.after_write, write) or answer
        for warning in self.warnings:
            quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
            answer.headers.add("Warning", f'299 - "{quoted}"')
        return answer

    def _carry_out(self, request: web.Request, target: _Target, body: Any) -> web.Response:
        kind, namespace, name = target.resource.kind, target.namespace or "", target.name
        agent = request.headers.get("User-Agent", "").partition("/")[0]
        manager = request.query.get("fieldManager", agent)
        if request.query.get("dryRun"):
            raise fake_status.bad_request("the fake cannot do a dry run")
        if request.method == "POST":
            if name is not None:
                raise fake_status.StatusError(
                    405, "MethodNotAllowed", "the server does not allow this method"
                )
            if target.resource.namespaced and target.namespace is None:
                raise fake_status.bad_request("a namespace is required")
            made = self.store.create(kind, namespace, body, manager=manager)
            return web.json_response(made, status=201)
        if name is None:
            raise fake_status.StatusError(405, "MethodNotAllowed", "not on a collection")
        if request.method == "DELETE":
            return web.json_response(self.store.delete(kind, namespace, name, body))
        change = self._change_of(request, target, body)
        changed = self.store.update(
            kind,
            namespace,
            name,
            change,
            manager=manager,
            subresource=target.subresource,
        )
        return web.json_response(changed)

    def _change_of(
        self, request: web.Request, target: _Target, body: Any
    ) -> Callable[[Object], Object]:
        if request.method == "PUT":
            version = (body.get("metadata") or {}).get("resourceVersion")
            if not version and fake_rules.needs_version(target.resource):
                raise fake_status.invalid(
                    target.resource.qualified,
                    target.name or "",
                    "metadata.resourceVersion",
                    "Invalid value: 0: must be specified for an update",
                    "FieldValueInvalid",
                )
            uid = (body.get("metadata") or {}).get("uid")

            def replace(before: Object) -> Object:
                self.store.check_uid(target.resource, before, uid)
                return dict(body)

            return replace
        patch = _PATCHES.get(request.content_type)
        if patch is None:
            raise fake_status.StatusError(415, "UnsupportedMediaType", request.content_type)
        return lambda before: patch(before, body)


@dataclass(frozen=True, slots=True)
class _Target:
    resource: paths.Resource
    namespace: str | None
    name: str | None
    subresource: str | None


@asynccontextmanager
async def fake_api_server(*, simulate: bool = True) -> AsyncIterator[FakeApiServer]:
    """Run a fake API server on a free port of this machine.

    Args:
        simulate: whether a scheduler, a kubelet and controllers act on what is stored; garbage
            collection and the end of namespaces are always there.
    """
    fake = FakeApiServer(simulate=simulate)
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", fake.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.url = f"http://{host}:{port}"
    try:
        async with asyncio.TaskGroup() as group:
            acting = group.create_task(fake.cluster.run())
            try:
                yield fake
            finally:
                acting.cancel()
                fake.watches.cut()
                await fake.forwarding.close()
                await runner.cleanup()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # a test wants to see its own failure, bare


async def _hooked(hook: Hook | None, write: Write) -> web.Response | None:
    outcome = hook(write) if hook is not None else None
    return await outcome if inspect.isawaitable(outcome) else outcome


def _verb(request: web.Request, where: paths.Location, watching: bool) -> str:
    if request.method == "DELETE" and where.name is None:
        return "deletecollection"
    return verb_of(request.method, request.path, watching=watching)


def _named(request: web.Request) -> str:
    """Return the name that a list or a watch is limited to, which a rule may name."""
    for part in request.query.get("fieldSelector", "").split(","):
        if part.startswith("metadata.name="):
            return part.removeprefix("metadata.name=")
    return ""


def _selector(request: web.Request, kind: str) -> fake_selecting.Predicate:
    labels = fake_selecting.by_labels(request.query.get("labelSelector", ""))
    fields = fake_selecting.by_fields(kind, request.query.get("fieldSelector", ""))
    return lambda item: labels(item) and fields(item)
