"""Where the bench runs: a namespace of its own, the objects in it, and how commands are called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = os.environ.get("TP_BENCH_IMAGE", "localhost/base:1")
PYTHON = os.environ.get("TP_BENCH_PYTHON", "/usr/bin/python3")
PORT = 9000
LOCAL_PORT = 9100
PEER = Path(__file__).with_name("peer.py")


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace with the peer in it, and a folder with the file."""

    folder: Path
    namespace: str
    kubeconfig: str

    def environment(self) -> dict[str, str]:
        """Return the environment of every command."""
        return {
            **os.environ,
            "KUBECONFIG": self.kubeconfig,
            "TP_STATE_DIR": str(self.folder / "state"),
        }

    def tp(self, *arguments: str) -> list[str]:
        """Return a ``tp`` command line in this namespace."""
        return [sys.executable, "-m", "tpconfig", "-n", self.namespace, *arguments]

    def kubectl(self, *arguments: str) -> list[str]:
        """Return a ``kubectl`` command line in this namespace."""
        found = os.environ.get("KUBECTL") or shutil.which("kubectl")
        if found is None:
            raise SystemExit("the bench needs kubectl on the PATH, or in $KUBECTL")
        return [found, "-n", self.namespace, *arguments]

    def call(self, command: list[str], *, given: str | None = None) -> str:
        """Run a command to its end in the folder and return what it printed.

        Raises:
            SystemExit: it failed.
        """
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:6])} …: {done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        """Create or change objects."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.call(self.kubectl("apply", "-f", "-"), given=given)


@contextmanager
def open_place(folder: Path) -> Iterator[Place]:
    """Make the namespace, its objects and the file; remove the namespace in the end."""
    namespace = f"tp-bench-{os.getpid()}"
    place = Place(folder, namespace, _kubeconfig())
    place.call(place.kubectl("create", "namespace", namespace))
    try:
        place.apply(*_workload("web"), *_workload("other"))
        _write_file(folder)
        for name in ("web", "other"):
            place.call(place.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s"))
        yield place
    finally:
        place.call(place.kubectl("delete", "namespace", namespace, "--wait=false"))


def _kubeconfig() -> str:
    given = os.environ.get("TP_TEST_KUBECONFIG")
    if given:
        return given
    from tests import rig

    rig.ensure_up()
    return str(rig.kubeconfig())


def _workload(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    labels = {"app": name}
    container = {
        "name": "peer",
        "image": IMAGE,
        "command": [PYTHON, "-c", PEER.read_text(), "serve", str(PORT)],
        "ports": [{"containerPort": PORT}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": PORT}]},
    }
    return deployment, service


def _write_file(folder: Path) -> None:
    shutil.copy(PEER, folder / "peer.py")
    stamp = "import time; open('stamp', 'w').write(str(time.time())); "
    command = (
        f"{stamp}import sys, runpy; sys.argv = ['peer.py', 'serve', '{LOCAL_PORT}']; "
        "runpy.run_path('peer.py', run_name='__main__')"
    )
    file = {
        "version": 1,
        "name": f"bench-{os.getpid()}",
        "cluster": {"image": {"name": IMAGE, "python": PYTHON}},
        "workloads": {
            "web": {
                "target": "deployment/web",
                "expose": [f"{LOCAL_PORT}:{PORT}"],
                "run": {"command": [sys.executable, "-c", command]},
            }
        },
    }
    (folder / "telepresence.yaml").write_text(json.dumps(file))
