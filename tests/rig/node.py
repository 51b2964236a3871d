"""The rig's one node: a network and a mount namespace that hold everything, and its addresses.

A holder process keeps both namespaces. When it and the rest are gone, so is every mount, bridge,
veth and iptables rule: the kernel cleans up, whatever killed them. It also means that the machine
reaches the API server and nothing else: a Service or a Pod answers a test only through the tool
that is under test.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.rig import processes
from tests.rig.failure import RigError
from tests.rig.places import Places
from tests.rig.steps import run, wait_until

HOLDER = "holder"
NODE_NAME = "node-1"
POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
CLUSTER_DNS = "10.96.0.10"
API_PORT = 6443

# The machine's /run, logs and CNI state stay untouched: the node has its own over them.
_SETUP = """
set -e
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
mount --bind "$1/var-log" /var/log
mount --bind "$1/var-cni" /var/lib/cni
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables 2> /dev/null || true
touch "$1/holder-ready"
exec sleep infinity
"""


def address(rig: Places) -> str:
    """The node's own address, where the API server listens (RFC 2544's range: nobody's LAN)."""
    return f"198.18.{rig.slot}.2"


def machine_address(rig: Places) -> str:
    """This machine's end of the pair: where a Pod finds "the world outside"."""
    return f"198.18.{rig.slot}.1"


def server(rig: Places) -> str:
    """The API server's URL."""
    return f"https://{address(rig)}:{API_PORT}"


def cgroup(rig: Places) -> str:
    """The root of all Pods' cgroups, one per rig."""
    return f"/tp-rig-{rig.slot}"


def hold(rig: Places) -> int:
    """Starts the holder and gives the node its network; returns the holder's process id."""
    holder = processes.alive(rig, HOLDER)
    if holder is None:
        for name in ("var-log", "var-cni"):
            (rig.state / name).mkdir(exist_ok=True)
        Path("/var/lib/cni").mkdir(exist_ok=True)
        ready = rig.state / "holder-ready"
        ready.unlink(missing_ok=True)
        words = ("unshare", "--mount", "--net", "--propagation", "slave", "sh", "-c", _SETUP)
        component = processes.Component(HOLDER, (*words, "sh", str(rig.state)))
        holder = processes.start(rig, component)
        log = rig.logs / f"{HOLDER}.log"
        wait_until(ready.exists, "the node's namespaces", 10, log=log)
    _connect(rig, holder)
    _make_cgroups(cgroup(rig))
    return holder


def _connect(rig: Places, holder: int) -> None:
    device = f"tprig{rig.slot}"
    if Path(f"/sys/class/net/{device}").exists():
        return
    pair = ["type", "veth", "peer", "name", "eth0", "netns", str(holder)]
    run(["ip", "link", "add", device, *pair])
    run(["ip", "address", "add", f"{machine_address(rig)}/30", "dev", device])
    run(["ip", "link", "set", device, "up"])
    for words in (
        ["address", "add", f"{address(rig)}/30", "dev", "eth0"],
        ["link", "set", "eth0", "up"],
        ["route", "add", "default", "via", machine_address(rig)],
    ):
        run([*inside(holder), "ip", *words])


def inside(holder: int) -> list[str]:
    """The words that run a command on the node."""
    return ["nsenter", "-t", str(holder), "-m", "-n", "--"]


def _controllers() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]


def _make_cgroups(name: str) -> None:
    for controller in _controllers():
        folder = controller / name.lstrip("/")
        folder.mkdir(exist_ok=True)
        if controller.name == "cpuset":  # version 1: an empty set admits no process
            for file in ("cpuset.cpus", "cpuset.mems"):
                if not (folder / file).read_text().strip():
                    (folder / file).write_text((controller / file).read_text())


def clear(rig: Places) -> None:
    """Ends everything that runs on the node; the holder goes last, its namespaces with it."""
    if not (rig.state / "slot").exists():
        return
    holder = processes.alive(rig, HOLDER)
    processes.end([pid for pid in processes.marked(rig) if pid != holder], timeout_s=3)
    for _ in range(3):
        processes.end(_members(cgroup(rig)), timeout_s=0)
    processes.end(processes.marked(rig), timeout_s=0)
    _remove_cgroups(cgroup(rig))
    device = f"tprig{rig.slot}"
    if Path(f"/sys/class/net/{device}").exists():  # its peer's namespace may take a moment to go
        subprocess.run(["ip", "link", "delete", device], capture_output=True, check=False)
    shutil.rmtree(rig.state / "pids", ignore_errors=True)


def _members(name: str) -> list[int]:
    found: set[int] = set()
    for controller in _controllers():
        for file in (controller / name.lstrip("/")).rglob("cgroup.procs"):
            try:
                found |= {int(word) for word in file.read_text().split()}
            except OSError:
                continue
    return sorted(found - {0})


def _remove_cgroups(name: str) -> None:
    def gone() -> bool:
        for controller in _controllers():
            top = controller / name.lstrip("/")
            if top.is_dir():
                folders = [path for path in top.rglob("*") if path.is_dir()]
                for folder in sorted(folders, key=lambda path: -len(path.parts)):
                    folder.rmdir()
                top.rmdir()
        return True

    wait_until(gone, f"removing the cgroups {name}", 10)


def runc() -> str:
    """Where runc is."""
    found = shutil.which("runc")
    if found is None:
        raise RigError("runc is not on this machine")
    return found
