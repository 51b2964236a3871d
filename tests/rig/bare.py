"""The bare rig: a whole cluster on this machine, started, repaired and removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.rig import builds, components, configs, debian, dns, images, node, processes
from tests.rig.api import Api, RefusedError
from tests.rig.failure import RigError
from tests.rig.places import Places, claim, locked, neighbours
from tests.rig.steps import say, step, wait_until

KEPT = ("checkout", "slot", "pki")
NAMES = (
    "etcd", "containerd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    "kube-proxy", "kubelet",
)  # fmt: skip
API_LIMIT_S = 60
NODE_LIMIT_S = 90


def prepare() -> None:
    """Installs and builds what is missing; two builds at a time, the long one first."""
    debian.install()
    jobs = (builds.kubernetes, debian.base_layer, builds.etcd, builds.coredns, builds.probe)
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(job) for job in jobs]:
            job.result()
    images.stock()


def up(rig: Places) -> None:
    """Starts what does not run, restarts what runs from other words, waits until all answers."""
    prepare()
    with locked(rig.state.name):
        bury_orphans()
        if healthy(rig):
            say("already up")
            return
        claim(rig)
        if processes.alive(rig, node.HOLDER) is None:
            _start_anew(rig)
        _settle_machine()
        with step("the node's namespaces and addresses"):
            holder = node.hold(rig)
        with step("certificates and configuration"):
            rig.etc.mkdir(exist_ok=True)
            components.credentials(rig)
            configs.write_all(rig, node.runc(), node.cgroup(rig))
        _start_all(rig, holder)
        _wait_for_all(rig, holder)
        (rig.state / "up").touch()


def _start_anew(rig: Places) -> None:
    """Forgets all but the keys: without the holder no mount and no address of it is left."""
    node.clear(rig)
    for path in rig.state.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _settle_machine() -> None:
    """What the tests' own programs need of the machine (README.md names it)."""
    fuse = Path("/dev/fuse")
    if fuse.exists():
        fuse.chmod(0o666)


def ensure(rig: Places, component: processes.Component, holder: int) -> None:
    """Starts a component unless it runs from exactly these words."""
    if not processes.current(rig, component):
        processes.stop(rig, component.name)
        processes.start(rig, component, inside=holder)


def _start_all(rig: Places, holder: int) -> None:
    for component in components.base(rig):
        ensure(rig, component, holder)
    ensure(rig, components.api_server(rig), holder)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(_load_stock, rig)
        with step("the API server"):
            wait_for_api(rig)
        for component in components.workers(rig):
            ensure(rig, component, holder)
        loading.result()  # before the first Pod, which would wait long for its second pull


def _load_stock(rig: Places) -> None:
    archive = images.stock()
    with step("images into containerd"):
        log = rig.logs / "containerd.log"
        wait_until(lambda: _listens(rig), "containerd", 20, log=log)
        images.load(rig, archive)


def _listens(rig: Places) -> bool:
    processes.require_alive(rig, "containerd")
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(rig.containerd))
    return True


def wait_for_api(rig: Places) -> None:
    """Waits until the API server says that it is ready; fails at once when it or etcd died."""
    api = Api(rig)

    def ready() -> bool:
        processes.require_alive(rig, "etcd")
        processes.require_alive(rig, "kube-apiserver")
        return api.ready()

    log = rig.logs / "kube-apiserver.log"
    wait_until(ready, "the API server", API_LIMIT_S, log=log)


def _wait_for_all(rig: Places, holder: int) -> None:
    api = Api(rig)
    with step("CoreDNS's objects"):
        dns.install(rig)
    with step("the node is Ready"):
        log = rig.logs / "kubelet.log"
        wait_until(lambda: node_ready(rig, api), "the node", NODE_LIMIT_S, log=log)
    with step("service account tokens"):
        wait_until(lambda: _token_works(rig, api), "a service account's token", 30)
    with step("CoreDNS answers"):
        wait_until(lambda: dns_answers(holder), "CoreDNS", 60, log=rig.logs / "kubelet.log")


def node_ready(rig: Places, api: Api) -> bool:
    """Whether the node's kubelet reports Ready; RigError when a component died."""
    for name in NAMES:
        processes.require_alive(rig, name)
    try:
        status = api.call("GET", f"/api/v1/nodes/{node.NODE_NAME}")["status"]
    except RefusedError:
        return False
    return any(
        one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", [])
    )


def _token_works(rig: Places, api: Api) -> bool:
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    try:
        token = api.call("POST", path, body)["status"]["token"]
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = Api(rig, token=token).call("POST", path, review)
    except RefusedError:
        return False
    user = answer["status"]["userInfo"]["username"]
    return bool(user == "system:serviceaccount:default:default")


def dns_answers(holder: int) -> bool:
    """Whether the cluster's DNS, asked through its Service, knows the API server."""
    name = "kubernetes.default.svc.cluster.local."
    words = [*node.inside(holder), str(builds.probe()), "dns", name, node.CLUSTER_DNS]
    try:  # the resolver would wait 5 s for a datagram sent before CoreDNS was there
        said = subprocess.run(words, capture_output=True, text=True, timeout=0.5, check=False)
    except subprocess.TimeoutExpired:
        return False
    return said.stdout.strip() == node.SERVICE_ADDRESS


def healthy(rig: Places) -> bool:
    """Whether everything runs from the words of today and answers."""
    holder = processes.alive(rig, node.HOLDER)
    if holder is None or not (rig.state / "up").exists():
        return False
    try:
        wanted = (*components.base(rig), components.api_server(rig), *components.workers(rig))
        if not all(processes.current(rig, component) for component in wanted):
            return False
        if not (rig.state / "loaded" / images.stock().parent.name).exists():
            return False
        return node_ready(rig, Api(rig)) and dns_answers(holder)
    except (OSError, RigError, RefusedError):
        return False


def down(rig: Places) -> None:
    """Removes everything of this checkout's rig but the builds."""
    with locked(rig.state.name):
        remove(rig)


def remove(rig: Places) -> None:
    """Ends the rig's processes and deletes its folder."""
    if not rig.state.exists():
        say("no rig here")
        return
    with step("end the rig's processes"):
        node.clear(rig)
    with step("delete its folder"):
        shutil.rmtree(rig.state)
    for folder in (Path("/var/lib/cni"), rig.state.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when nobody else has anything in it


def bury_orphans() -> None:
    """Removes what is left of rigs whose checkout is gone: nobody else would."""
    for rig in neighbours():
        if not rig.checkout.exists():
            say(f"the checkout {rig.checkout} is gone; removing its rig")
            remove(rig)


def status(rig: Places) -> dict[str, object]:
    """What runs, for people and scripts."""
    running = {name: processes.alive(rig, name) for name in (node.HOLDER, *NAMES)}
    return {
        "kind": "bare",
        "healthy": healthy(rig),
        "kubeconfig": str(rig.kubeconfig),
        "audit": str(rig.audit),
        "state": str(rig.state),
        "processes": running,
    }


def refusal() -> str:
    """Why the bare rig cannot run here; empty when it can."""
    if os.uname().sysname != "Linux":
        return "the bare rig needs Linux"
    if os.geteuid() != 0:
        return "the bare rig needs root"
    return ""
