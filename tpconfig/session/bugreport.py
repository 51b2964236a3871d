"""``tp bug-report``: what somebody has to know who was not there, without what nobody may know.

Each part is had on its own: where one cannot be, it says why, and the others are there.
"""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import tpconfig
from tpconfig import log, names
from tpconfig.cluster import paths
from tpconfig.cluster.api import Api
from tpconfig.config import load, show
from tpconfig.errors import TpError
from tpconfig.local import state
from tpconfig.model.finding import Finding
from tpconfig.model.target import Target
from tpconfig.session import asking, doctor, loading, planfile, planning
from tpconfig.session.access import open_cluster
from tpconfig.session.masking import masked_file, masked_object
from tpconfig.session.wish import Reload, Wish

LOG_BYTES: Final = 512 * 1024
"""Of each log, the newest."""

LOG_LINES: Final = 2000
REPORTS: Final = 3

Add = Callable[[str, str], None]
"""Is given each part: its file's name in the bundle, and its text."""

_OF_SESSIONS: Final = ("lease", "pod", "deployment", "role", "rolebinding", "serviceaccount")


async def collect(reload: Reload, environ: Mapping[str, str], add: Add) -> None:
    """Collect all parts; nothing is changed, neither here nor in the cluster."""

    def put(name: str, text: str) -> None:
        add(name, log.masked(text))

    async def part(name: str, made: Awaitable[str]) -> None:
        try:
            text = await made
        except (TpError, OSError) as error:
            text = f"not to be had: {error}\n"
        put(name, text)

    await part("version.json", _version())
    await part("doctor.jsonl", _doctor(reload, environ))
    await part("file.json", _file(reload, environ))
    await part("plan.json", _plan(reload, environ))
    await part("status.json", _status(reload, environ))
    for name, text in _logs(state.folder(environ)):
        put(name, text)
    try:
        await _cluster(reload, environ, part)
    except TpError as error:
        put("cluster/error.txt", f"not to be had: {error}\n")


async def _version() -> str:
    about = {
        "tp": tpconfig.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    return _json(about)


async def _doctor(reload: Reload, environ: Mapping[str, str]) -> str:
    found: list[Finding] = []
    await doctor.examine(reload, environ, found.append)
    return "".join(json.dumps(asdict(one)) + "\n" for one in found)


async def _file(reload: Reload, environ: Mapping[str, str]) -> str:
    loaded = load.load([*reload.files], cwd=Path(reload.folder), environ=environ)
    return _json(masked_file(show.written(loaded)))


async def _plan(reload: Reload, environ: Mapping[str, str]) -> str:
    planned = await planning.plan(loading.load(reload, environ), lambda event: None, healing=False)
    return _json(masked_object(planfile.plan_json(planned)))


async def _status(reload: Reload, environ: Mapping[str, str]) -> str:
    return _json(await asking.ask(reload, environ, {"do": "status"}))


def _logs(place: Path) -> list[tuple[str, str]]:
    """Return the logs of ``tp`` itself; what processes wrote is theirs."""
    found = [
        (f"logs/{one}.jsonl", state.session(place, one).own_log) for one in state.sessions(place)
    ]
    found.append(("logs/detached.log", place / "detached.log"))
    reports = sorted(place.glob("bug-*.txt"), key=lambda one: one.stat().st_mtime)
    found += [(f"logs/{one.name}", one) for one in reports[-REPORTS:]]
    return [(name, _newest(path)) for name, path in found if path.is_file()]


def _newest(path: Path) -> str:
    """Return the last whole lines of a file, as many as a report may have."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        cut = file.tell() > 0
        text = file.read().decode(errors="replace")
    return text.partition("\n")[2] if cut else text


async def _cluster(
    reload: Reload,
    environ: Mapping[str, str],
    part: Callable[[str, Awaitable[str]], Awaitable[None]],
) -> None:
    """Collect the objects of all sessions, the targets, and what happened to them."""
    wish = _wish(reload, environ)
    async with open_cluster(wish.cluster) as api:
        own = wish.namespace or api.namespace
        targets = [one.target for one in wish.desired.workloads]
        for namespace in sorted({own, *(one.namespace for one in targets if one.namespace)}):
            here = [one for one in targets if (one.namespace or own) == namespace]
            await _namespace(api, namespace, here, part)


def _wish(reload: Reload, environ: Mapping[str, str]) -> Wish:
    try:
        return loading.load(reload, environ)
    except TpError:
        return loading.without_file(reload, environ)


async def _namespace(
    api: Api,
    namespace: str,
    targets: list[Target],
    part: Callable[[str, Awaitable[str]], Awaitable[None]],
) -> None:
    folder = f"cluster/{namespace}"
    for kind in _OF_SESSIONS:
        path = paths.path_of(kind, namespace)
        await part(f"{folder}/{kind}.json", _listed(api, path, names.LABEL_ROLE))
    for one in targets:
        path = paths.path_of(one.kind, namespace, one.name)
        await part(f"{folder}/{one.kind}.{one.name}.json", _object(api, path))
    await part(f"{folder}/events.json", _listed(api, paths.path_of("event", namespace), None))
    for pod, container in await _containers(api, namespace):
        await part(
            f"{folder}/{pod}.{container}.log", _container_log(api, namespace, pod, container)
        )


async def _listed(api: Api, path: str, label: str | None) -> str:
    return _json(masked_object(list(await api.list(path, label_selector=label))))


async def _object(api: Api, path: str) -> str:
    return _json(masked_object(await api.get(path)))


async def _containers(api: Api, namespace: str) -> list[tuple[str, str]]:
    """Return the Pods and containers that run our code."""
    try:
        pods = await api.list(paths.path_of("pod", namespace), label_selector=names.LABEL_ROLE)
    except TpError:
        return []
    return [
        (pod["metadata"]["name"], container["name"])
        for pod in pods
        for container in pod["spec"]["containers"]
        if any(
            one["name"] in (names.ENV_AGENT, names.ENV_JANITOR)
            for one in container.get("env") or ()
        )
    ]


async def _container_log(api: Api, namespace: str, pod: str, container: str) -> str:
    query = {"container": container, "tailLines": str(LOG_LINES)}
    async with asyncio.timeout(30):
        return await api.request_text(paths.path_of("pod", namespace, pod, "log"), query)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, default=str) + "\n"
