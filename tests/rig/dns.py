"""CoreDNS as the cluster's DNS, and the few names of the "world outside".

There is no way out of the node, so no upstream server either: a name that is neither the
cluster's nor in ``hosts`` does not exist, and CoreDNS says so at once.
"""

from __future__ import annotations

import hashlib

from tests.rig import builds, images, node
from tests.rig.api import Api
from tests.rig.places import Places

OUTSIDE = "outside.tp-rig.test"
_NAMESPACE = "kube-system"
_LABELS = {"k8s-app": "kube-dns"}
COREFILE = """\
.:53 {{
    errors
    health
    ready
    reload
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    hosts {{
        {outside} {name}
        {node} node-1.tp-rig.test
        fallthrough
    }}
    template ANY ANY . {{
        rcode NXDOMAIN
        authority ". 5 IN SOA tp-rig.test. nobody.tp-rig.test. 1 5 5 5 5"
    }}
    cache 5
    loop
}}
"""


def install(rig: Places) -> None:
    """Applies every object; equal ones are left as they are."""
    api = Api(rig)
    core, rbac = f"/api/v1/namespaces/{_NAMESPACE}", "/apis/rbac.authorization.k8s.io/v1"
    deployment = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/coredns"
    objects = {
        f"{core}/serviceaccounts/coredns": _object("v1", "ServiceAccount", {}),
        f"{rbac}/clusterroles/tp-rig:coredns": _role(),
        f"{rbac}/clusterrolebindings/tp-rig:coredns": _binding(),
        f"{core}/configmaps/coredns": _object("v1", "ConfigMap", {"data": _corefile(rig)}),
        deployment: _object("apps/v1", "Deployment", {"spec": _deployment(rig)}),
        f"{core}/services/kube-dns": _object("v1", "Service", {"spec": _service()}),
    }
    for path, body in objects.items():
        api.apply(path, body)


def scale(rig: Places, replicas: int) -> None:
    """Stops CoreDNS (0) or starts it (1)."""
    path = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/coredns"
    body = {"spec": {"replicas": replicas}}
    Api(rig).call("PATCH", path, body, kind="application/merge-patch+json")


def _object(version: str, kind: str, rest: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": version, "kind": kind} | rest


def _role() -> dict[str, object]:
    rules = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": ["list", "watch"],
        },
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["list", "watch"],
        },
    ]
    return _object("rbac.authorization.k8s.io/v1", "ClusterRole", {"rules": rules})


def _binding() -> dict[str, object]:
    group = "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "tp-rig:coredns"}
    subject = {"kind": "ServiceAccount", "name": "coredns", "namespace": _NAMESPACE}
    rest: dict[str, object] = {"roleRef": role, "subjects": [subject]}
    return _object(f"{group}/v1", "ClusterRoleBinding", rest)


def _corefile(rig: Places) -> dict[str, str]:
    text = COREFILE.format(outside=node.machine_address(rig), name=OUTSIDE, node=node.address(rig))
    return {"Corefile": text}


def _deployment(rig: Places) -> dict[str, object]:
    made_of = builds.coredns().parent.name + _corefile(rig)["Corefile"]
    annotations = {"tp-rig/made-of": hashlib.sha256(made_of.encode()).hexdigest()}
    container = {
        "name": "coredns",
        "image": images.COREDNS,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": 8181},
            "periodSeconds": 1,
        },
    }
    pod = {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS, "annotations": annotations}, "spec": pod},
    }


def _service() -> dict[str, object]:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    return {"clusterIP": node.CLUSTER_DNS, "selector": _LABELS, "ports": ports}
