"""A namespace of the cluster as a test sees it: ``kubectl``, and what it is asked."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e import objects
from tests.e2e.load import Load

VOLATILE = ("resourceVersion", "generation", "managedFields")
OURS = "tpconfig.dev/session"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
ROLLED_OUT = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass
class Namespace:
    """One test's corner of the cluster."""

    namespace: str
    kubeconfig: str

    def kubectl_command(self) -> list[str]:
        """Return how ``kubectl`` is called for this namespace."""
        return [kubectl(), "--kubeconfig", self.kubeconfig, "-n", self.namespace]

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run ``kubectl``, expect success and return its output."""
        done = subprocess.run(
            [*self.kubectl_command(), *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *manifests: Mapping[str, Any], wait: bool = True) -> None:
        """Create objects and wait until the workloads among them are available."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.kubectl("apply", "-f", "-", given=given)
        for one in manifests:
            if wait and one["kind"] in ROLLED_OUT:
                name = f"{one['kind'].lower()}/{one['metadata']['name']}"
                self.kubectl("rollout", "status", name, "--timeout=120s")

    def delete(self) -> None:
        """Delete the namespace; nobody waits for it."""
        words = ["delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found"]
        subprocess.run([*self.kubectl_command(), *words], check=False, capture_output=True)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def get_list(self, kind: str, *, selector: str = OURS) -> list[dict[str, Any]]:
        """Return the objects of a kind that carry a label."""
        text = self.kubectl("get", kind, "-l", selector, "-o", "json")
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found

    def agents(self) -> list[dict[str, Any]]:
        """Return the agents' Pods that are there to stay."""
        pods = self.get_list("pods")
        return [one for one in pods if "deletionTimestamp" not in one["metadata"]]

    def exact(self, name: str, kind: str = "deployment") -> dict[str, Any]:
        """Return a workload without what *exactly as before* exempts."""
        return without_volatile(self.get(kind, name))

    def contents(self) -> dict[str, Any]:
        """Return every object here that is not ours, but for what Kubernetes says about it."""
        kinds = "deployments,replicasets,pods,services,secrets,configmaps,leases,serviceaccounts"
        found = self.get_list(kinds, selector=f"!{OURS}")
        return {f"{one['kind']}/{one['metadata']['name']}": without_volatile(one) for one in found}

    def settled(self, name: str) -> None:
        """Wait until no Pod of a swapped Deployment is left, nor any traffic to one."""
        selector = f"app={name},!{OURS}"
        eventually(lambda: not self.get_list("pods", selector=selector), "originals are left")
        time.sleep(1)

    def in_client(self, code: str, *arguments: str) -> str:
        """Run a piece of Python in the ``client`` Pod and return what it prints."""
        words = ["exec", "deploy/client", "--", objects.PYTHON, "-c", code, *arguments]
        return self.kubectl(*words)

    def load(self, url: str, *, rate: int = 50, seconds: float = 2) -> dict[str, Any]:
        """Send requests from the ``client`` Pod; return the counts."""
        command = [objects.PYTHON, "/app/demo.py", "load", url]
        rates = ["--rate", str(rate), "--seconds", str(seconds)]
        done = subprocess.run(
            [*self.kubectl_command(), "exec", "deploy/client", "--", *command, *rates],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,  # it exits with 1 where requests failed; the counts say which
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def start_load(self, url: str, *, rate: int = 50) -> Load:
        """Start sending requests from the ``client`` Pod, until the load is stopped."""
        return Load([*self.kubectl_command(), "exec", "-i", "deploy/client", "--"], url, rate=rate)

    def nothing_left(self, session: str | None = None) -> None:
        """Expect that 10 s from now no object of any kind carries our label.

        ``session``: look for this session's in every namespace; else for anybody's in this one.
        """
        where = ["-A", "-l", f"{OURS}={session}"] if session else ["-l", OURS]
        words = ["get", kinds(self.kubeconfig, namespaced=session is None), *where, "-o", "name"]
        eventually(
            lambda: not self.kubectl(*words, "--ignore-not-found").strip(),
            lambda: f"left: {self.kubectl(*words)}",
            timeout_s=10,
        )


def without_volatile(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what *exactly as before* exempts."""
    metadata = {key: one for key, one in found["metadata"].items() if key not in VOLATILE}
    if TEMPLATE_GENERATION in metadata.get("annotations", {}):
        notes = metadata["annotations"].items()
        metadata["annotations"] = {k: v for k, v in notes if k != TEMPLATE_GENERATION}
    return {**{key: one for key, one in found.items() if key != "status"}, "metadata": metadata}


@functools.cache
def kubectl() -> str:
    """Return the path of a ``kubectl``."""
    found = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if found is None:
        from tests import rig

        found = str(rig.kubectl())
    return found


@functools.cache
def kinds(kubeconfig: str, *, namespaced: bool) -> str:
    """Return every kind that can be listed, as ``kubectl get`` wants them."""
    words = ["api-resources", "--verbs=list", "-o", "name", f"--namespaced={namespaced}"]
    words = words if namespaced else words[:-1]
    done = subprocess.run(
        [kubectl(), "--kubeconfig", kubeconfig, *words], check=True, capture_output=True, text=True
    )
    return ",".join(one for one in done.stdout.split() if not one.startswith("event"))


def eventually(
    true: Callable[[], object], what: str | Callable[[], str], *, timeout_s: float = 90
) -> None:
    """Wait until something is true; fail with ``what`` where it does not come about."""
    deadline_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline_s:
            raise AssertionError(what if isinstance(what, str) else what())
        time.sleep(0.1)
