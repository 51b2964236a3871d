"""Breaks the bare rig on command, and mends it: what happens to a cluster behind a user's back."""

from __future__ import annotations

import time

from tests.rig import bare, components, dns, node, processes
from tests.rig.api import Api, RefusedError
from tests.rig.failure import RigError
from tests.rig.places import Places
from tests.rig.steps import wait_until


def kill(rig: Places, name: str) -> None:
    """SIGKILL for one component (``bare.NAMES``); it stays down."""
    if processes.alive(rig, name) is None:
        raise RigError(f"{name} does not run")
    processes.kill(rig, name)


def start(rig: Places, name: str) -> None:
    """Starts one component again, with the words of today."""
    holder = processes.alive(rig, node.HOLDER)
    if holder is None:
        raise RigError("the rig is down")
    known = (*components.base(rig), components.api_server(rig), *components.workers(rig))
    for component in known:
        if component.name == name:
            bare.ensure(rig, component, holder)
            return
    raise RigError(f"{name} is no component; there are {', '.join(bare.NAMES)}")


def restart_api_server(rig: Places, *, down_s: float = 0) -> None:
    """Kills the API server, waits ``down_s``, starts it, and returns when it serves again."""
    kill(rig, "kube-apiserver")
    time.sleep(down_s)
    start(rig, "kube-apiserver")
    bare.wait_for_api(rig)


def restart_kubelet(rig: Places, *, down_s: float = 0) -> None:
    """The same for the kubelet; exec and port-forward of its Pods end with it."""
    kill(rig, "kubelet")
    time.sleep(down_s)
    start(rig, "kubelet")
    api = Api(rig)
    healthz = f"/api/v1/nodes/{node.NODE_NAME}/proxy/healthz"

    def ready() -> bool:
        try:
            return bool(api.call("GET", healthz) == "ok")
        except RefusedError:
            return False

    wait_until(ready, "the kubelet", 60, log=rig.logs / "kubelet.log")


def stop_coredns(rig: Places) -> None:
    """Scales CoreDNS to nothing and returns when no name is answered any more."""
    dns.scale(rig, 0)
    wait_until(lambda: not _answers(rig), "the end of CoreDNS", 30)


def start_coredns(rig: Places) -> None:
    """Scales CoreDNS back and returns when it answers."""
    dns.scale(rig, 1)
    wait_until(lambda: _answers(rig), "CoreDNS", 60)


def _answers(rig: Places) -> bool:
    holder = processes.alive(rig, node.HOLDER)
    return holder is not None and bare.dns_answers(holder)
