"""Killed at a write, or the answer to one lost, on a real cluster: it is put back exactly.

A file with one workload of each kind comes up, is reloaded and goes down. The real ``tp`` is
struck at one of its writes; then its janitor alone, or ``down`` from another folder, restores.
"""

from __future__ import annotations

import difflib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.namespace import without_volatile
from tests.e2e.people import Person
from tests.e2e.place import Place
from tests.e2e.striking import WRONG, Proxy, Strike, open_proxy

POINTS = int(os.environ.get("TP_CRASH_POINTS", "60"))
"""How many points are tried; 0 for all of them, each healed in both ways."""

BUDGET_S = float(os.environ.get("TP_CRASH_BUDGET_S", "200" if POINTS else "inf"))
"""No further point is begun after this; how many were tried is printed."""

ONLY = os.environ.get("TP_CRASH_AT", "")
"""One point, as a failure names it: ``27:unheard:janitor``."""

SIDE_BY_SIDE = int(os.environ.get("TP_CRASH_STREETS", "2" if POINTS else "4"))
"""Most of a point's time is waiting; but other tests run beside these, with times of their own."""

TTL_S = 10
HEALED_S = 240.0
POLL_S = 0.5
JANITOR = "tpconfig.dev/role=janitor"
KINDS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "CronJob")
BESIDE = ("Service", "Secret", "ConfigMap", "ServiceAccount", "Role", "RoleBinding", "Lease")
SESSION = "tpconfig.dev/session"


@dataclass(frozen=True)
class Point:
    """Where a life is struck, and who heals."""

    at: int
    wrong: str
    healed_by: str


def every_kind() -> Iterator[dict[str, Any]]:
    """Yield one workload of each kind; two of them are called by a Service."""
    for kind in KINDS:
        found = objects.deployment(kind.lower(), replicas=1)
        spec, metadata = found["spec"], {"name": kind.lower(), "labels": {"team": "shop"}}
        pod = spec["template"]["spec"]
        pod["containers"] = [{"name": "main", "image": objects.PAUSE}]
        pod["terminationGracePeriodSeconds"] = 1
        match kind:
            case "StatefulSet":
                policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}
                spec |= {"serviceName": "x", "persistentVolumeClaimRetentionPolicy": policy}
            case "DaemonSet":
                del spec["replicas"]
                pod["nodeSelector"] = {"kubernetes.io/os": "linux"}
            case "CronJob":
                pod["restartPolicy"] = "Never"
                job = {"spec": {"template": spec["template"]}}
                spec = {"schedule": "0 0 1 1 *", "jobTemplate": job}
        api = "batch/v1" if kind == "CronJob" else "apps/v1"
        yield {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
    for name in ("deployment", "daemonset"):
        yield objects.service(name, ports=[{"port": 80, "targetPort": 8080}])


def wanted(*kinds: str, **more: Any) -> dict[str, Any]:
    """Return the file's workloads: these are swapped, and nothing calls them here."""
    run = {"command": "sleep 600"}
    return {
        kind: {"target": f"{kind}/{kind}", "run": run}
        | ({} if kind == "cronjob" else {"expose": []})
        | more
        for kind in kinds
    }


@dataclass
class Street:
    """A namespace with a workload of each kind, and a way to its cluster that strikes."""

    place: Place
    proxy: Proxy
    before: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.place.apply(*every_kind())
        self.wait(self.all_ready, 120)
        self.before = self.contents()

    def wait(self, true: Callable[[], object], within_s: float = HEALED_S) -> bool:
        """Wait until something is true; tell whether it is."""
        until_s = time.monotonic() + within_s
        while not (found := true()) and time.monotonic() < until_s:
            time.sleep(POLL_S)
        return bool(found)

    def list(self, *kinds: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of some kinds."""
        where = self.place.namespace
        return [
            one for kind in kinds for one in self.proxy.list(kind.lower(), where, selector=selector)
        ]

    def all_ready(self) -> bool:
        """Tell whether every original runs."""
        pods = self.list("Pod", selector=f"!{SESSION}")
        ready = [
            pod
            for pod in pods
            for one in pod.get("status", {}).get("conditions", ())
            if (one["type"], one["status"]) == ("Ready", "True")
            and "deletionTimestamp" not in pod["metadata"]
        ]
        return len(ready) == 4

    def contents(self) -> dict[str, Any]:
        """Return every object that is not ours, claimed ones too."""
        found = {}
        for one in self.list(*KINDS, *BESIDE):
            labels = one["metadata"].get("labels", {})
            if "tpconfig.dev/role" not in labels and "tpconfig.dev/janitor" not in labels:
                found[f"{one['kind']}/{one['metadata']['name']}"] = without_copies(one)
        return found

    def differs(self) -> str:
        """Return the lines in which an object is not as before."""
        texts = [
            json.dumps(one, indent=1, sort_keys=True).splitlines()
            for one in (self.before, self.contents())
        ]
        return "\n".join(difflib.unified_diff(*texts, "before", "after", lineterm=""))

    def ours(self) -> list[str]:
        """Name what is left of the session."""
        left = self.list(*KINDS, *BESIDE, "Pod", selector=SESSION)
        return [f"{one['kind']}/{one['metadata']['name']}" for one in left]

    def live(self, strike: Strike) -> None:
        """Live a session's life until it ends, by itself or by the strike."""
        place, self.proxy.strike = self.place, strike
        for leftover in (place.state, place.home / "log"):
            shutil.rmtree(leftover, ignore_errors=True)
            leftover.unlink(missing_ok=True)
        self.write(wanted(*map(str.lower, KINDS)))
        program = place.start("up")
        strike.kill = lambda: os.killpg(program.pid, signal.SIGKILL)
        try:
            self.follow(program)
        finally:
            if program.poll() is None:
                program.send_signal(signal.SIGABRT)  # where it hangs is written to the log
                program.wait()
                place.kill()

    def follow(self, program: subprocess.Popen[bytes]) -> None:
        """Save another file when the first is up, and end the session when that is applied."""

        def said(*texts: str) -> bool:
            return program.poll() is not None or any(text in self.place.log() for text in texts)

        assert self.wait(lambda: said("up after")), self.place.log()
        if program.poll() is None:
            init = {**wanted("deployment"), **wanted("replicaset", "daemonset")}
            self.write({**init, "deployment": {**init["deployment"], "init": "skip"}})
            goes_on = ("as the file says after", "goes on as it was")
            assert self.wait(lambda: said(*goes_on)), self.place.log()
        if program.poll() is None:
            program.send_signal(signal.SIGINT)
            assert self.wait(lambda: program.poll() is not None), self.place.log()

    def write(self, workloads: dict[str, Any]) -> None:
        """Write the file."""
        session = {"ttl": f"{TTL_S}s", "reconnect": f"{TTL_S}s"}
        self.place.write(workloads, session=session)

    def heal(self, healed_by: str) -> None:
        """Have it healed, and expect everything as before.

        A session that died before it had a janitor has changed nothing; what it created stays
        until the next command.
        """
        whole = True
        if healed_by == "janitor":
            leases = self.list("Lease", selector=SESSION)
            whole = not leases or bool(self.list("Deployment", selector=JANITOR))
        else:
            self.down()
        if whole:
            assert self.wait(lambda: not self.ours()), f"left: {self.ours()}"
        assert not (differs := self.differs()), differs
        if not whole:
            self.down()
            assert not self.ours()

    def down(self) -> None:
        """Run ``tp down`` from another folder."""
        elsewhere = self.place.home / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        shutil.copy(self.place.folder / "telepresence.yaml", elsewhere)
        self.proxy.strike = Strike()
        self.place.ok("down", cwd=elsewhere, TP_STATE_DIR=str(self.place.home / "e"))


def without_copies(one: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what changes by itself.

    A Deployment's annotations are copied to its ReplicaSet by its controller, which never takes
    them away (docs/how-it-works.md).
    """
    found = without_volatile(one)
    if found["kind"] == "replicaset" and found["metadata"].get("ownerReferences"):
        notes = found["metadata"].get("annotations", {}).items()
        kept = {key: text for key, text in notes if not key.startswith("tpconfig.dev/")}
        found["metadata"]["annotations"] = kept
    return found


@pytest.fixture
def streets(
    open_place: Callable[[Person], Place], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Street]]:
    """As many as are struck side by side."""
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    with ExitStack() as opened:
        places = [open_place(Person()) for _ in range(SIDE_BY_SIDE)]
        proxies = [
            opened.enter_context(open_proxy(Path(one.kubeconfig), to=one.own_kubeconfig))
            for one in places
        ]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            yield list(pool.map(Street, places, proxies))


def points(writes: int) -> list[Point]:
    """Return the points that are tried, by a seed."""
    every = [
        Point(at, wrong, healed_by)
        for at in range(1, writes + 1)
        for wrong in WRONG
        for healed_by in ("janitor", "down")
    ]
    if ONLY:
        at, wrong, healed_by = ONLY.split(":")
        return [Point(int(at), wrong, healed_by)]
    chance = random.Random(os.environ.get("TP_CRASH_SEED", "1"))
    return chance.sample(every, min(POINTS or len(every), len(every)))


@pytest.mark.timeout(6 * 3600 if POINTS == 0 else 1200)
def test_whatever_was_struck_is_put_back(
    streets: list[Street], record_property: Callable[[str, object], None]
) -> None:
    """At every point: all objects of the namespace as before, and nothing of ours left."""
    nowhere = Strike()
    streets[0].live(nowhere)
    streets[0].heal("down")
    left: SimpleQueue[Point] = SimpleQueue()
    for point in points(len(nowhere.writes)):
        left.put(point)
    began_s, tried, failures = time.monotonic(), [], []

    def walk(street: Street) -> None:
        with suppress(Empty):
            while not failures and time.monotonic() - began_s < BUDGET_S:
                point = left.get_nowait()
                strike = Strike(point.at, point.wrong)
                try:
                    street.live(strike)
                    street.heal(point.healed_by)
                except AssertionError as error:
                    failures.append((point, strike.struck, street.place.log(), error))
                if strike.struck:
                    tried.append(point)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for done in [pool.submit(walk, street) for street in streets]:
            done.result()
    record_property("points", f"{len(tried)} of {len(nowhere.writes)} writes x {len(WRONG)} x 2")
    record_property("seconds", round(time.monotonic() - began_s))
    assert not failures, "\n".join(f"{p}: {s}\n{log}\n{e}" for p, s, log, e in failures)
    assert tried
