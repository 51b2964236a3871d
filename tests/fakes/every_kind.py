"""One workload of each kind, each behind a Service where callers come to it."""

from __future__ import annotations

from typing import Any

from tpconfig.cluster.api import Api
from tpconfig.cluster.paths import path_of
from tpconfig.model import kinds

Object = dict[str, Any]


async def create_every_kind(api: Api, namespace: str) -> None:
    """Create them, named after their kinds."""
    for kind in kinds.SWAPPABLE:
        await api.create(path_of(kind, namespace), workload(kind))
        ports = [{"port": 80, "targetPort": 8080}]
        spec = {"selector": {"app": kind}, "ports": ports}
        if kind != "cronjob":
            service = {"metadata": {"name": kind}, "spec": spec}
            await api.create(path_of("service", namespace), service)


def workload(kind: str) -> Object:
    """Return a workload of a kind, named after it, with what has to come back exactly."""
    labels = {"app": kind}
    container = {"name": "main", "image": "x", "ports": [{"containerPort": 8080}]}
    pod: Object = {"containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec: Object = {"selector": {"matchLabels": labels}, "template": template}
    match kind:
        case "deployment" | "replicaset":
            spec["replicas"] = 2
        case "statefulset":
            policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}
            spec |= {"replicas": 2, "serviceName": kind}
            spec["persistentVolumeClaimRetentionPolicy"] = policy
        case "daemonset":
            pod["nodeSelector"] = {"kubernetes.io/hostname": "node-1"}
        case "cronjob":
            pod["restartPolicy"] = "Never"
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}
    return {"metadata": {"name": kind, "labels": {"team": "shop"}}, "spec": spec}
