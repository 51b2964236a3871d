"""The command line of every component, as it runs on the node."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.rig import builds, configs, node, pki
from tests.rig.failure import RigError
from tests.rig.places import Places
from tests.rig.processes import Component

_USERS = {
    "admin": pki.Identity("admin", ("system:masters",)),
    "controllers": pki.Identity("system:kube-controller-manager"),
    "scheduler": pki.Identity("system:kube-scheduler"),
    "proxy": pki.Identity("system:kube-proxy"),
    "kubelet": pki.Identity(f"system:node:{node.NODE_NAME}", ("system:nodes",)),
}
ISSUER = "https://kubernetes.default.svc.cluster.local"


def credentials(rig: Places) -> None:
    """Makes every certificate and kubeconfig that the components need."""
    pki.authority(rig.pki)
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names.append("kubernetes.default.svc.cluster.local")
    numbers = ["127.0.0.1", node.SERVICE_ADDRESS, node.address(rig)]
    addresses = (*(f"DNS:{name}" for name in names), *(f"IP:{number}" for number in numbers))
    pki.certificate(rig.pki, "apiserver", pki.Identity("kube-apiserver", (), addresses))
    for file, identity in _USERS.items():
        user = configs.by_certificate(*pki.certificate(rig.pki, file, identity))
        path = rig.kubeconfig if file == "admin" else rig.etc / f"{file}.kubeconfig"
        configs.write_kubeconfig(
            path, server=node.server(rig), authority=rig.pki / "ca.crt", user=user
        )


def base(rig: Places) -> tuple[Component, ...]:
    """What the API server and the kubelet stand on."""
    etcd = (
        str(builds.etcd()),
        f"--data-dir={rig.state}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    config = rig.etc / "containerd.toml"
    program = shutil.which("containerd")
    if program is None:
        raise RigError("containerd is not on this machine")
    return (
        Component("etcd", etcd),
        Component("containerd", (program, "--config", str(config)), (config,)),
    )


def api_server(rig: Places) -> Component:
    """The API server; it logs every request's metadata to the audit file."""
    keys = rig.pki
    policy = rig.etc / "audit.json"
    return _part(
        "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--bind-address={node.address(rig)}",
        f"--advertise-address={node.address(rig)}",
        f"--secure-port={node.API_PORT}",
        f"--service-cluster-ip-range={node.SERVICE_RANGE}",
        f"--client-ca-file={keys}/ca.crt",
        f"--tls-cert-file={keys}/apiserver.crt",
        f"--tls-private-key-file={keys}/apiserver.key",
        f"--kubelet-client-certificate={keys}/admin.crt",
        f"--kubelet-client-key={keys}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={keys}/sa.pub",
        f"--service-account-signing-key-file={keys}/sa.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={rig.audit}",
        files=(policy, keys / "apiserver.crt"),
    )


def workers(rig: Places) -> tuple[Component, ...]:
    """What watches the API server."""
    keys = rig.pki
    return (
        _client(
            rig, "kube-controller-manager", "controllers",
            f"--service-account-private-key-file={keys}/sa.key",
            f"--root-ca-file={keys}/ca.crt",
            f"--cluster-signing-cert-file={keys}/ca.crt",
            f"--cluster-signing-key-file={keys}/ca.key",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--kube-api-qps=200",  # by default it takes 5 s to make its controllers' accounts
            "--kube-api-burst=400",
        ),
        _client(rig, "kube-scheduler", "scheduler", "--leader-elect=false"),
        _client(
            rig, "kube-proxy", "proxy",
            "--proxy-mode=iptables",
            f"--cluster-cidr={node.POD_RANGE}",
            "--conntrack-max-per-core=0",
            "--conntrack-min=0",
            f"--hostname-override={node.NODE_NAME}",
        ),
        _client(
            rig, "kubelet", "kubelet",
            f"--config={rig.etc}/kubelet.json",
            f"--root-dir={rig.state}/kubelet",
            f"--cert-dir={rig.state}/kubelet-pki",
            f"--hostname-override={node.NODE_NAME}",
            f"--node-ip={node.address(rig)}",
            files=(rig.etc / "kubelet.json",),
        ),
    )  # fmt: skip


def _client(
    rig: Places, name: str, user: str, *words: str, files: tuple[Path, ...] = ()
) -> Component:
    kubeconfig = rig.etc / f"{user}.kubeconfig"
    return _part(name, f"--kubeconfig={kubeconfig}", *words, files=(kubeconfig, *files))


def _part(name: str, *words: str, files: tuple[Path, ...] = ()) -> Component:
    return Component(name, (str(builds.kubernetes() / name), *words), files)
