"""The configuration files of the rig's components. JSON is YAML, so json.dumps writes them all."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.rig.images import PAUSE
from tests.rig.node import CLUSTER_DNS, NODE_NAME, POD_RANGE
from tests.rig.places import Places

CONTAINERD = """\
version = 2
root = "{state}/containerd"
state = "{state}/containerd-run"
oom_score = 0
[grpc]
  address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  enable_selinux = false
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state}/etc/cni"
"""


def write_all(rig: Places, runc: str, cgroup: str) -> None:
    """Writes every configuration file; equal content leaves a component running."""
    (rig.etc / "cni").mkdir(parents=True, exist_ok=True)
    state = str(rig.state)
    (rig.etc / "containerd.toml").write_text(CONTAINERD.format(state=state, pause=PAUSE, runc=runc))
    _json(rig.etc / "cni" / "10-rig.conflist", _network(rig))
    _json(rig.etc / "kubelet.json", _kubelet(rig, cgroup))
    _json(rig.etc / "audit.json", AUDIT)
    (rig.etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")


def write_kubeconfig(
    path: Path, *, server: str, authority: Path, user: dict[str, str], namespace: str = "default"
) -> None:
    """A kubeconfig of one context, whole in one file; its mode is 0600 from the start."""
    cluster = {"server": server, "certificate-authority-data": encoded(authority)}
    context = {"cluster": "tp-rig", "user": "user", "namespace": namespace}
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tp-rig",
        "clusters": [{"name": "tp-rig", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "tp-rig", "context": context}],
    }
    path.touch(mode=0o600)
    _json(path, body)


def encoded(path: Path) -> str:
    """A file as a kubeconfig's ``…-data`` fields want it."""
    return base64.b64encode(path.read_bytes()).decode()


def by_certificate(certificate: Path, key: Path) -> dict[str, str]:
    """A kubeconfig's user who shows a certificate."""
    return {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}


def _json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=2) + "\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def _network(rig: Places) -> dict[str, object]:
    ipam = {
        "type": "host-local",
        "dataDir": str(rig.state / "addresses"),
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": ipam,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "rig", "plugins": [bridge, portmap]}


def _kubelet(rig: Places, cgroup: str) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(rig.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failSwapOn": False,
        "clusterDNS": [CLUSTER_DNS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(rig.etc / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{rig.containerd}",
        "podLogsDir": str(rig.state / "pod-logs"),
        "serializeImagePulls": False,
        "maxPods": 240,
        "registerWithTaints": [],
        # Nothing can be pulled again, so no image is ever thrown away for want of space.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%"},
        "providerID": f"rig://{NODE_NAME}",
    }
