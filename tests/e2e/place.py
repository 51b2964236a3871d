"""What an end-to-end test works with: a namespace, a project folder, ``tp`` and ``kubectl``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e import objects
from tests.e2e.namespace import Namespace, eventually
from tests.e2e.people import Person

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Place(Namespace):
    """One test's corner of the cluster and of the machine.

    The folders are under ``/tmp`` and not pytest's: everybody gets there, and a Unix socket's path
    has 107 bytes.
    """

    person: Person = field(default_factory=Person)
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(dir="/tmp", prefix="tp-"))
        self.folder.mkdir()
        self.own_kubeconfig.write_bytes(Path(self.kubeconfig).read_bytes())
        for path in (self.home, self.folder, self.own_kubeconfig):
            self.person.own(path)

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.home / "project"

    @property
    def state(self) -> Path:
        """The state folder of the person's ``tp``."""
        return self.home / "s"

    @property
    def own_kubeconfig(self) -> Path:
        """The kubeconfig that the person may read."""
        return self.home / "kubeconfig"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that ``tp`` is started with."""
        plain = {key: value for key, value in os.environ.items() if not key.startswith("TP_")}
        return {
            **plain,
            **self.person.environment(),
            "KUBECONFIG": str(self.own_kubeconfig),
            "PYTHONPATH": str(ROOT),
            "TP_STATE_DIR": str(self.state),
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
        return [*self.person.prefix, sys.executable, "-m", "tpconfig", *arguments]

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
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                self.tp_command(*arguments),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self) -> str:
        """Return what background commands have printed so far."""
        return (self.home / "log").read_text()

    def start_up(self) -> subprocess.Popen[bytes]:
        """Start ``tp up`` in the foreground of a process group, and wait until it is up."""
        program = self.start("up")
        eventually(
            lambda: "up after" in self.log() or program.poll() is not None, self.log, timeout_s=90
        )
        assert program.poll() is None, self.log()
        return program

    def status(self) -> dict[str, Any]:
        """Return what ``tp status`` says."""
        found: dict[str, Any] = json.loads(self.ok("status", "--json"))
        return found

    def processes(self) -> list[int]:
        """Return every process of ours: ``tp`` itself, its keepers, and what they run."""
        mark = f"TP_STATE_DIR={self.state}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdecimal() and mark in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue  # it has ended, or is somebody else's
        return sorted(found)

    def kill(self) -> None:
        """SIGKILL for every process of ours."""
        while found := self.processes():
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def end(self) -> None:
        """Leave nothing behind; what the test has left in the cluster goes with the namespace."""
        self.kill()
        self.delete()
        shutil.rmtree(self.home, ignore_errors=True)


def free_port() -> int:
    """Return a port of this machine's localhost that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        found: int = sock.getsockname()[1]
        return found
