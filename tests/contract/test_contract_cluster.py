"""What a cluster does by itself with Deployments, Pods and Services, and port-forwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.contract.contract_place import Place
from tpconfig.cluster import failures
from tpconfig.cluster.portforward import open_port_forward
from tpconfig.cluster.watch import wait_for

Object = dict[str, Any]

ECHO = """
import socket, threading
server = socket.create_server(("", 7000))
def serve(link):
    while data := link.recv(65536):
        link.sendall(data)
    link.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


def pod_spec(place: Place) -> Object:
    return {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "main",
                "image": place.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-c", ECHO],
                "ports": [{"name": "echo", "containerPort": 7000}],
                "readinessProbe": {"tcpSocket": {"port": 7000}, "periodSeconds": 1},
            }
        ],
    }


def ready(pod: Object | None) -> bool:
    conditions = (pod or {}).get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def start_pod(place: Place, name: str = "p", **labels: str) -> Object:
    body = {"metadata": {"name": name, "labels": labels}, "spec": pod_spec(place)}
    await place.api.create(place.path("pod"), body)
    found = await wait_for(place.api, place.path("pod", name), ready, 60.0)
    assert found is not None
    return found


async def test_deployment_makes_its_pods(place: Place) -> None:
    """A Deployment's Pods are owned through a ReplicaSet and counted in its status."""
    await place.api.create(
        place.path("deployment"),
        {
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": pod_spec(place),
                },
            },
        },
    )
    path = place.path("deployment", "web")
    up = await wait_for(
        place.api, path, lambda one: one and one["status"].get("readyReplicas") == 2, 60.0
    )
    assert up is not None
    assert up["status"]["observedGeneration"] == 1
    pods = await place.api.list(place.path("pod"), label_selector="app=web")
    owners = {pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods}
    assert (len(pods), owners) == (2, {"ReplicaSet"})
    assert all("pod-template-hash" in pod["metadata"]["labels"] for pod in pods)

    await place.api.patch(path, {"spec": {"replicas": 0}})
    await wait_for(place.api, path, lambda one: one and not one["status"].get("replicas"), 60.0)


async def test_pod_gets_a_node_and_an_address(place: Place) -> None:
    """A Pod that runs has a node, an address and a ready container; it is found by its node."""
    pod = await start_pod(place)
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["podIP"]
    assert [one["ready"] for one in pod["status"]["containerStatuses"]] == [True]
    node = pod["spec"]["nodeName"]
    found = await place.api.list(place.path("pod"), field_selector=f"spec.nodeName={node}")
    assert [one["metadata"]["name"] for one in found] == ["p"]


async def test_spec_of_a_pod_cannot_be_changed(place: Place) -> None:
    """A Pod's command is what it was created with."""
    await start_pod(place)
    patch = [{"op": "replace", "path": "/spec/containers/0/command", "value": ["true"]}]
    with pytest.raises(failures.InvalidError):
        await place.api.patch(
            place.path("pod", "p"), patch, content_type="application/json-patch+json"
        )


async def test_endpoints_follow_ready_pods(place: Place) -> None:
    """A Service's EndpointSlice names the ready Pods, by the number behind a port's name."""
    service = {
        "metadata": {"name": "s"},
        "spec": {"selector": {"app": "s"}, "ports": [{"port": 80, "targetPort": "echo"}]},
    }
    await place.api.create(place.path("service"), service)
    pod = await start_pod(place, app="s")
    selector = "kubernetes.io/service-name=s"

    async def addresses() -> list[tuple[str, bool, int]]:
        found = await place.api.list(place.path("endpointslice"), label_selector=selector)
        return [
            (one["targetRef"]["name"], one["conditions"]["ready"], ports["port"])
            for part in found
            for one in part.get("endpoints") or ()
            for ports in part.get("ports") or ()
        ]

    async with asyncio.timeout(60):
        while await addresses() != [("p", True, 7000)]:
            await asyncio.sleep(0.05)
        await place.api.delete(place.path("pod", "p"), uid=pod["metadata"]["uid"])
        while await addresses():
            await asyncio.sleep(0.05)


async def test_deleted_pod_ends_gracefully(place: Place) -> None:
    """A deleted Pod that runs is marked first, with the seconds that it has, and goes later."""
    await start_pod(place)
    if place.fake is not None:
        place.fake.cluster.termination_s = 0.3
    marked = await place.api.delete(place.path("pod", "p"))
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 1
    await wait_for(place.api, place.path("pod", "p"), lambda one: one is None, 60.0)


async def test_pod_killed_at_once_is_gone(place: Place) -> None:
    """With a grace of 0 the API server forgets a Pod at once."""
    await start_pod(place)
    await place.api.delete(place.path("pod", "p"), grace_s=0)
    with pytest.raises(failures.NotFoundError):
        await place.api.get(place.path("pod", "p"))


async def test_port_forward_carries_bytes(place: Place) -> None:
    """What is written comes out in the Pod, and the other way round, in order."""
    await start_pod(place)
    async with asyncio.TaskGroup() as group:
        if place.fake is not None:
            place.fake.forwarding.any_pod[7000] = await _echo_here(group)
        pipe = await open_port_forward(place.api, place.namespace, "p", 7000)
        received, whole = bytearray(), asyncio.Event()
        sent = b"".join(bytes([number % 251]) * 997 for number in range(1000))

        def take(data: bytes) -> None:
            received.extend(data)
            if len(received) >= len(sent):
                whole.set()

        lost: list[str] = []

        def tell(reason: str) -> None:
            lost.append(reason)
            whole.set()

        pipe.start(take, tell, pause=lambda: None, resume=lambda: None)
        for at in range(0, len(sent), 50_000):
            pipe.write(sent[at : at + 50_000])
        async with asyncio.timeout(60):
            await whole.wait()
        pipe.close()
        assert lost == []
        assert bytes(received) == sent
        for task in _servers:
            task.cancel()
        _servers.clear()


async def test_port_forward_tells_that_nobody_listens(place: Place) -> None:
    """A port on which nothing listens is known from the kubelet's words."""
    await start_pod(place)
    pipe = await open_port_forward(place.api, place.namespace, "p", 7001)
    lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    pipe.start(lambda _: None, lost.set_result, pause=lambda: None, resume=lambda: None)
    pipe.write(b"hello")
    async with asyncio.timeout(60):
        words = await lost
    assert "7001" in words
    assert "refused" in words


async def test_port_forward_to_a_missing_pod_is_not_found(place: Place) -> None:
    """A Pod that does not exist is an ApiError, not a lost pipe."""
    with pytest.raises(failures.NotFoundError) as caught:
        await open_port_forward(place.api, place.namespace, "nope", 7000)
    assert caught.value.message == 'pods "nope" not found'


_servers: list[asyncio.Task[None]] = []


async def _echo_here(group: asyncio.TaskGroup) -> tuple[str, int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    _servers.append(group.create_task(server.serve_forever()))
    host, port = server.sockets[0].getsockname()[:2]
    return host, port
