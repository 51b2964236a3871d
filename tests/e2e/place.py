"""What an end-to-end test works with: a namespace, a project folder, ``tp`` and ``kubectl``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e import objects

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "tests/rig/app/demo.py"
VOLATILE = ("resourceVersion", "generation", "managedFields")
OURS = "tpconfig.dev/session"


@dataclass
class Place:
    """One test's corner of the cluster and of the machine."""

    folder: Path
    namespace: str
    kubeconfig: str
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    state: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="tp-"))
    """Short, unlike pytest's folders: a Unix socket's path has 107 bytes."""

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that ``tp`` is started with."""
        plain = {key: value for key, value in os.environ.items() if not key.startswith("TP_")}
        return {
            **plain,
            "KUBECONFIG": self.kubeconfig,
            "PYTHONPATH": str(ROOT),
            "TP_STATE_DIR": self.state,
            "TP_IMAGE": objects.BASE,
            "TP_IMAGE_PYTHON": objects.PYTHON,
            **more,
        }

    def write(self, workloads: Mapping[str, Any], **top: Any) -> Path:
        """Write the file; the session is named after the namespace."""
        cluster = {"namespace": self.namespace, **top.pop("cluster", {})}
        file = {"version": 1, "name": self.namespace, **top, "cluster": cluster}
        path = self.folder / "telepresence.yaml"
        path.write_text(json.dumps({**file, "workloads": workloads}))
        return path

    def tp_command(self, *arguments: str) -> list[str]:
        """Return a command line of ``tp``."""
        return [sys.executable, "-m", "tpconfig", *arguments]

    def tp(
        self, *arguments: str, cwd: Path | None = None, timeout_s: float = 120, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``tp`` to its end."""
        return subprocess.run(
            self.tp_command(*arguments),
            cwd=cwd or self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def ok(self, *arguments: str, **options: Any) -> str:
        """Run ``tp``, expect success and return what it printed as data."""
        done = self.tp(*arguments, **options)
        assert done.returncode == 0, f"tp {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start ``tp`` in the background, in a process group of its own."""
        log = (self.folder.parent / "up.log").open("ab")
        program = subprocess.Popen(
            self.tp_command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.running.append(program)
        return program

    def log(self) -> str:
        """Return what background commands have printed so far."""
        return (self.folder.parent / "up.log").read_text()

    def end(self) -> None:
        """End whatever the test has left running."""
        for program in self.running:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()
        self.tp("down", "--session", self.session_id(), "-n", self.namespace)
        shutil.rmtree(self.state, ignore_errors=True)

    def session_id(self) -> str:
        """Return the id of the session that holds anything here, or a word that is none."""
        leases = self.get_list("leases")
        return leases[0]["metadata"]["labels"][OURS] if leases else "none"

    def kubectl_command(self) -> list[str]:
        """Return how ``kubectl`` is called for this namespace."""
        found = os.environ.get("KUBECTL") or shutil.which("kubectl")
        if found is None:
            from tests import rig

            found = str(rig.kubectl())
        return [found, "--kubeconfig", self.kubeconfig, "-n", self.namespace]

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

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Create objects and wait until the Deployments among them are available."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.kubectl("apply", "-f", "-", given=given)
        for one in manifests:
            if one["kind"] == "Deployment":
                name = one["metadata"]["name"]
                self.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def get_list(self, kind: str, *, selector: str = OURS) -> list[dict[str, Any]]:
        """Return the objects of a kind that carry a label."""
        text = self.kubectl("get", kind, "-l", selector, "-o", "json")
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found

    def exact(self, name: str) -> dict[str, Any]:
        """Return a Deployment without what *exactly as before* exempts."""
        found = self.get("deployment", name)
        for key in VOLATILE:
            found["metadata"].pop(key, None)
        found.pop("status", None)
        return found

    def load(self, url: str, *, rate: int = 50, seconds: float = 2) -> dict[str, Any]:
        """Send requests from the ``client`` Pod; return the counts."""
        out, err = self.start_load(url, rate=rate, seconds=seconds).communicate(timeout=120)
        assert out, err
        found: dict[str, Any] = json.loads(out)
        return found

    def settled(self, name: str) -> None:
        """Wait until no Pod of a swapped Deployment is left, nor any traffic to one."""
        selector = f"app={name},!{OURS}"
        eventually(lambda: not self.get_list("pods", selector=selector), "originals are left")
        time.sleep(1)

    def load_arguments(self, url: str, *, rate: int, seconds: float) -> list[str]:
        """Return the ``kubectl`` arguments of a load."""
        command = [objects.PYTHON, "/app/demo.py", "load", url]
        rates = ["--rate", str(rate), "--seconds", str(seconds)]
        return ["exec", "deploy/client", "--", *command, *rates]

    def start_load(self, url: str, *, rate: int, seconds: float) -> subprocess.Popen[str]:
        """Start a load in the background."""
        arguments = self.load_arguments(url, rate=rate, seconds=seconds)
        return subprocess.Popen(
            [*self.kubectl_command(), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def nothing_left(self) -> None:
        """Expect that no object of ours is left 10 s from now."""
        kinds = "pods,leases,secrets,deployments,services,configmaps,roles,rolebindings"
        eventually(lambda: not self.get_list(kinds), "objects of ours are left", timeout_s=10)


def eventually(true: Callable[[], object], what: str, *, timeout_s: float = 30) -> None:
    """Wait until something is true; fail with ``what`` where it does not come about."""
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.1)
