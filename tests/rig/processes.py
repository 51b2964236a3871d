"""Starts, finds and stops the rig's programs, each by its own process id and no other way.

A process id alone can be reused, so its start time is kept beside it. Every program also carries
the rig's state folder in its environment: that finds what containerd started, and what is left of
a rig whose records are lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.rig.failure import RigError
from tests.rig.places import Places

MARK = "TP_RIG_STATE"


@dataclass(frozen=True, slots=True)
class Component:
    """A program of the rig; it is restarted when its words or its files differ."""

    name: str
    argv: tuple[str, ...]
    files: tuple[Path, ...] = ()

    def fingerprint(self) -> str:
        """Changes with everything that the program was started from."""
        digest = hashlib.sha256("\0".join(self.argv).encode())
        for path in self.files:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def _record(rig: Places, name: str) -> Path:
    return rig.state / "pids" / f"{name}.json"


def started(pid: int) -> str | None:
    """When ``pid`` started, in the kernel's ticks; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def alive(rig: Places, name: str) -> int | None:
    """The process id of a component that runs."""
    try:
        record = json.loads(_record(rig, name).read_text())
    except (OSError, ValueError):
        return None
    pid, since = int(record["pid"]), record["started"]
    # A program that ended before its start could be read has none.
    return pid if since is not None and started(pid) == since else None


def current(rig: Places, component: Component) -> bool:
    """Whether the component runs, from exactly these words and files."""
    if alive(rig, component.name) is None:
        return False
    record = json.loads(_record(rig, component.name).read_text())
    return bool(record["fingerprint"] == component.fingerprint())


def start(rig: Places, component: Component, *, inside: int | None = None) -> int:
    """Starts a component, in the namespaces of process ``inside`` if one is given."""
    enter = () if inside is None else ("nsenter", "-t", str(inside), "-m", "-n", "--")
    log = rig.logs / f"{component.name}.log"
    log.parent.mkdir(exist_ok=True)
    record = _record(rig, component.name)
    record.parent.mkdir(exist_ok=True)
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [*enter, *component.argv], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            cwd="/", env=_environment(rig), start_new_session=True,
        )  # fmt: skip
    ticks = started(process.pid)
    fresh = {"pid": process.pid, "started": ticks, "fingerprint": component.fingerprint()}
    record.write_text(json.dumps(fresh))
    return process.pid


def _environment(rig: Places) -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/root", MARK: str(rig.state)}


def require_alive(rig: Places, name: str) -> None:
    """Raises RigError with the end of the component's log when it died."""
    if alive(rig, name) is None:
        raise RigError(f"{name} died", log=rig.logs / f"{name}.log")


def stop(rig: Places, name: str, *, timeout_s: float = 10) -> None:
    """Asks a component to end, then makes it; a no-op when it does not run."""
    pid = alive(rig, name)
    if pid is not None:
        end([pid], timeout_s=timeout_s)
    _record(rig, name).unlink(missing_ok=True)


def kill(rig: Places, name: str) -> None:
    """SIGKILL for a component, as a fault; its record stays as a crash would leave it."""
    pid = alive(rig, name)
    if pid is not None:
        end([pid], timeout_s=0)


def end(pids: Iterable[int], *, timeout_s: float) -> None:
    """SIGTERM, up to ``timeout_s`` of patience, SIGKILL, and waits until they are gone."""
    left = {pid: ticks for pid in pids if (ticks := started(pid)) is not None}
    if timeout_s > 0:
        left = _signal_and_wait(left, signal.SIGTERM, timeout_s)
    left = _signal_and_wait(left, signal.SIGKILL, 10)
    if left:
        raise RigError(f"processes {sorted(left)} survive SIGKILL")


def _signal_and_wait(left: dict[int, str], number: int, timeout_s: float) -> dict[int, str]:
    for pid in left:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + timeout_s
    while left and time.monotonic() < deadline:
        left = {pid: ticks for pid, ticks in left.items() if started(pid) == ticks}
        if left:
            time.sleep(0.01)
    return left


def marked(rig: Places) -> list[int]:
    """Every process that carries this rig's mark, whoever started it."""
    mark = f"{MARK}={rig.state}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0") and started(int(folder.name)) is not None:
            found.append(int(folder.name))
    return found
