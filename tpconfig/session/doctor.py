"""``tp doctor``: everything that a session will need, looked at before there is one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from tpconfig.cluster import observe, survey
from tpconfig.cluster.api import Api
from tpconfig.config import codes
from tpconfig.errors import ConfigError, TpError
from tpconfig.local import survey as machine
from tpconfig.model.finding import Finding, Verdict
from tpconfig.planner import permissions
from tpconfig.session import loading
from tpconfig.session.access import open_cluster
from tpconfig.session.wish import Reload, Wish

Found = Callable[[Finding], None]


async def examine(reload: Reload, environ: Mapping[str, str], found: Found) -> None:
    """Examine this machine, the file, then the cluster; each finding is told as it is made."""
    for one in await machine.examine(environ):
        found(one)
    wish = _wish(reload, environ, found)
    choice = wish.cluster
    try:
        async with open_cluster(choice) as api:
            if choice.bastion is not None:
                found(Finding("bastion", Verdict.OK, choice.bastion.host))
            found(Finding("context", Verdict.OK, api.context))
            await _cluster(api, wish, found)
    except TpError as error:
        found(Finding("server", Verdict.FAILURE, error.message, error.hint or ""))


def _wish(reload: Reload, environ: Mapping[str, str], found: Found) -> Wish:
    """Read the file; without a good one, the context's namespace is examined."""
    try:
        wish = loading.load(reload, environ)
    except ConfigError as error:
        first, *others = error.problems
        if first.code == codes.NO_FILE:
            found(Finding("file", Verdict.WARNING, first.message, "write one: see tp.yaml.example"))
        else:
            more = f", and {len(others)} more problems" if others else ""
            text = f"{first.source}: {first.message}{more}"
            found(Finding("file", Verdict.FAILURE, text, "`tp plan` shows each with its line"))
        return loading.without_file(reload, environ)
    names = ", ".join(one.name for one in wish.desired.workloads)
    found(Finding("file", Verdict.OK, f"{wish.session.file}: {names}"))
    return wish


async def _cluster(api: Api, wish: Wish, found: Found) -> None:
    for one in await survey.reach(api):
        found(one)
    found(Finding("user", Verdict.OK, await observe.who_am_i(api)))
    targets = {one.target.namespace for one in wish.desired.workloads if one.target.namespace}
    for namespace in sorted(targets | {wish.namespace or api.namespace}):
        for one in await survey.namespace(api, namespace):
            found(one)
            if one.verdict is Verdict.FAILURE:
                break
        else:
            kinds = {one.target.kind for one in wish.desired.workloads}
            await _namespace(api, namespace, kinds, found)
    for one in await survey.image(api, wish.session.image.name):
        found(one)


async def _namespace(api: Api, namespace: str, kinds: Collection[str], found: Found) -> None:
    found(await _permissions(api, namespace, kinds))
    for examining in (survey.network_policies, survey.quotas):
        for one in await examining(api, namespace):
            found(one)


async def _permissions(api: Api, namespace: str, kinds: Collection[str]) -> Finding:
    """Ask for every verb that a whole session in a namespace may ever need, by kind of workload."""
    wanted = permissions.session_verbs(namespace, kinds)
    denied = await observe.denied(api, wanted)
    if not denied:
        text = f"all {len(wanted)} that a session in {namespace} may need"
        return Finding("permissions", Verdict.OK, text)
    missing = ", ".join(str(one) for one in denied)
    if not set(denied) & permissions.bare_session_verbs(namespace, kinds):
        text = f"no janitor of one's own in {namespace}: missing {missing}"
        cure = "an administrator applies `tp rbac --janitor` there, once"
        return Finding("permissions", Verdict.WARNING, text, cure)
    cure = "`tp plan` prints what a file takes; an administrator grants it by a Role"
    return Finding("permissions", Verdict.FAILURE, f"missing in {namespace}: {missing}", cure)
