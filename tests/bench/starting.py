"""How long things take to start: ``tp --help``, a bare Pod, ``tp up`` until the command runs.

A Pod's course is taken from its own watch, opened before it is created; kubectl's start-up is no
part of any figure.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench.place import IMAGE, PYTHON, Place

SETTLE_S = 0.5
"""Between two saves."""


def help_s(place: Place) -> Callable[[], float]:
    """Return what takes the wall time of ``tp --help``."""

    def take() -> float:
        began_s = time.monotonic()
        place.call(place.tp("--help"))
        return time.monotonic() - began_s

    return take


def bare_pod_s(place: Place, number: int) -> float:
    """Return the seconds from a Pod's first appearance until it is Ready; it has no probes."""
    name = f"bare-{number}"
    container = {
        "name": "c",
        "image": IMAGE,
        "command": [PYTHON, "-c", "import time; time.sleep(600)"],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    with _watched(place, name) as states:
        place.apply(pod)
        began_s: float | None = None
        for ready in states:
            began_s = began_s if began_s is not None else time.monotonic()
            if ready:
                break
    assert began_s is not None
    took_s = time.monotonic() - began_s
    place.call(place.kubectl("delete", "pod", name, "--force", "--grace-period=0"))
    return took_s


def up_s(place: Place) -> float:
    """Return the seconds from the start of ``tp up -d`` until the command runs; goes down again."""
    stamp = place.folder / "stamp"
    stamp.unlink(missing_ok=True)
    began_s = time.time()
    place.call(place.tp("up", "-d"))
    took_s = float(stamp.read_text()) - began_s
    place.call(place.tp("down"))
    return took_s


def saves_s(place: Place, count: int) -> list[float]:
    """Return the seconds from each save of the file to the start of the command with it.

    Of the session that is up; the environment is what changes.
    """
    stamp, file = place.folder / "stamp", place.folder / "telepresence.yaml"
    wish = json.loads(file.read_text())
    took_s = []
    for number in range(count):
        time.sleep(SETTLE_S)
        stamp.unlink(missing_ok=True)
        wish["workloads"]["web"]["env"] = {"set": {"ROUND": str(number)}}
        began_s = time.time()
        file.write_text(json.dumps(wish))
        while not (stamp.exists() and stamp.read_text()):
            time.sleep(0.002)
        took_s.append(float(stamp.read_text()) - began_s)
    return took_s


@contextmanager
def _watched(place: Place, name: str) -> Iterator[Iterator[bool]]:
    """Yield whether the Pod is Ready, each time that it changes."""
    program = subprocess.Popen(
        place.kubectl(
            "get", "pods", "--watch-only", f"--field-selector=metadata.name={name}", "-o", "json"
        ),
        env=place.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.0)  # until the watch is open; no part of the figure
    try:
        assert program.stdout is not None
        yield _readiness(iter(program.stdout.readline, ""))
    finally:
        program.kill()
        program.wait()


def _readiness(lines: Iterator[str]) -> Iterator[bool]:
    """Read kubectl's concatenated JSON documents."""
    decoder = json.JSONDecoder()
    text = ""
    for line in lines:
        text += line
        if line.rstrip() != "}":
            continue
        try:
            pod, end = decoder.raw_decode(text)
        except ValueError:
            continue
        text = text[end:].lstrip()
        conditions = pod.get("status", {}).get("conditions", [])
        yield any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
