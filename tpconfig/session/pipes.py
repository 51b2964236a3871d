"""Joins the cluster's port-forwards to the tunnel, which knows nothing of Kubernetes."""

from __future__ import annotations

from tpconfig.cluster.api import Api
from tpconfig.cluster.portforward import open_port_forward
from tpconfig.tunnel.pipe import Connect, PipeConnection


def port_forwards(api: Api, namespace: str, pod: str, port: int) -> Connect:
    """Return what opens one more pipe to a port of a Pod."""

    async def connect() -> PipeConnection:
        return await open_port_forward(api, namespace, pod, port)

    return connect
