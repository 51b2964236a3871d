"""Who one is and what one may do, on the fake and on a real API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.contract_place import Place
from tests.fakes.fake_access import Rule, User
from tpconfig.cluster import failures, observe, rules
from tpconfig.cluster.api import Api, open_api
from tpconfig.cluster.paths import path_of
from tpconfig.cluster.watch import watch
from tpconfig.errors import ExitCode
from tpconfig.model.observed import Permission

RULE = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}


@asynccontextmanager
async def reader(place: Place, folder: Path) -> AsyncIterator[Api]:
    """Open the API as somebody who may only read ConfigMaps of the test's namespace."""
    if place.fake is not None:
        rule = Rule(("get", "list"), ("configmaps",), ("",), (place.namespace,))
        name = f"system:serviceaccount:{place.namespace}:reader"
        place.fake.access.tokens["secret"] = User(name, ("system:authenticated",), (rule,))
        file = place.fake.write_kubeconfig(folder, token="secret")
    else:
        file = await _service_account(place, folder)
    async with open_api(context=None, kubeconfig=file) as api:
        yield api


async def _service_account(place: Place, folder: Path) -> str:
    api = place.api
    await api.create(place.path("serviceaccount"), {"metadata": {"name": "reader"}})
    await api.create(place.path("role"), {"metadata": {"name": "reader"}, "rules": [RULE]})
    await api.create(
        place.path("rolebinding"),
        {
            "metadata": {"name": "reader"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "reader",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "reader", "namespace": place.namespace}
            ],
        },
    )
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    given = await api.create(place.path("serviceaccount", "reader", "token"), asked)
    config: dict[str, Any] = yaml.safe_load(Path(place.kubeconfig).read_text())
    named = {one["name"]: one["context"] for one in config["contexts"]}
    context = named[place.api.context] | {"user": "reader", "namespace": place.namespace}
    config |= {
        "users": [{"name": "reader", "user": {"token": given["status"]["token"]}}],
        "contexts": [{"name": "reader", "context": context}],
        "current-context": "reader",
    }
    for one in config["clusters"]:
        authority = one["cluster"].get("certificate-authority")
        if authority:
            absolute = Path(place.kubeconfig).parent / authority
            one["cluster"]["certificate-authority"] = str(absolute)
    file = folder / "reader.kubeconfig"
    file.write_text(json.dumps(config))
    # The authorizer learns of a new binding a moment later.
    async with open_api(context=None, kubeconfig=str(file)) as somebody, asyncio.timeout(30):
        while not await may(somebody, place.namespace, "list", "", "configmaps"):
            await asyncio.sleep(0.05)
    return str(file)


async def may(api: Api, namespace: str, verb: str, group: str, resource: str) -> bool:
    """Ask the authorizer."""
    wanted = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
    answer = await api.create(
        path_of("selfsubjectaccessreview"),
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        },
    )
    return bool(answer["status"]["allowed"])


async def test_review_names_the_user(place: Place, tmp_path: Path) -> None:
    """A SelfSubjectReview says who is asking."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    async with reader(place, tmp_path) as api:
        answer = await api.create(path_of("selfsubjectreview"), body)
    name = answer["status"]["userInfo"]["username"]
    assert name == f"system:serviceaccount:{place.namespace}:reader"


async def test_access_review_tells_what_is_allowed(place: Place, tmp_path: Path) -> None:
    """A SelfSubjectAccessReview answers for each verb and namespace."""
    async with reader(place, tmp_path) as api:
        assert await may(api, place.namespace, "list", "", "configmaps")
        assert not await may(api, place.namespace, "create", "", "configmaps")
        assert not await may(api, place.namespace, "list", "", "secrets")
        assert not await may(api, "default", "list", "", "configmaps")


async def test_rules_review_tells_what_is_granted(place: Place, tmp_path: Path) -> None:
    """One request tells the verbs of a namespace; it grants nothing that is denied."""
    reading = Permission(place.namespace, "", "configmaps", "list")
    writing = Permission(place.namespace, "", "configmaps", "create")
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": place.namespace},
    }
    async with reader(place, tmp_path) as api:
        answer = await api.create(path_of("selfsubjectrulesreview"), body)
        assert rules.granted(answer["status"]["resourceRules"], reading)
        assert not rules.granted(answer["status"]["resourceRules"], writing)
        assert await observe.denied(api, [reading, writing]) == (writing,)


async def test_refused_write_names_verb_and_resource(place: Place, tmp_path: Path) -> None:
    """403 names the verb, the resource and the namespace, and keeps the server's words."""
    async with reader(place, tmp_path) as api:
        with pytest.raises(failures.ForbiddenError) as caught:
            await api.create(path_of("deployment", place.namespace), {"metadata": {"name": "a"}})
    error = caught.value
    where = f"in namespace {place.namespace}"
    assert error.message == f"no permission to create deployments.apps {where}"
    assert error.exit_code == ExitCode.PERMISSION
    assert 'cannot create resource "deployments" in API group "apps"' in error.details[0]


async def test_refused_watch_is_raised(place: Place, tmp_path: Path) -> None:
    """Who may list but not watch is told so, instead of being left waiting."""
    async with reader(place, tmp_path) as api:
        events = watch(api, path_of("configmap", place.namespace))
        with pytest.raises(failures.ForbiddenError) as caught:
            async for _ in events:
                pass
    assert caught.value.message.startswith("no permission to watch configmaps")


async def test_refused_port_forward_names_the_part(place: Place, tmp_path: Path) -> None:
    """The part of a resource is named as RBAC names it."""
    async with reader(place, tmp_path) as api:
        with pytest.raises(failures.ForbiddenError) as caught:
            await api.get(path_of("pod", place.namespace, "p", "log"))
    assert caught.value.message.startswith("no permission to get pods/log")


async def test_wrong_token_is_unauthorized(place: Place, tmp_path: Path) -> None:
    """401 is raised as such, after fresh credentials did not help."""
    async with reader(place, tmp_path):
        pass
    for file in tmp_path.glob("*.kubeconfig"):
        config = json.loads(file.read_text())
        if any("token" in one["user"] for one in config["users"]):
            config["users"][0]["user"]["token"] = "nonsense"
            file.write_text(json.dumps(config))
            async with open_api(context=None, kubeconfig=str(file)) as api:
                with pytest.raises(failures.UnauthorizedError) as caught:
                    await api.get(path_of("configmap", place.namespace))
    assert caught.value.exit_code == ExitCode.PERMISSION
