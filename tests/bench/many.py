"""Many workloads in one command, beside as many bare Pods: time, and requests by the audit log.

Both are taken in the same run, on the same node, so that the ratio says something on a busy
machine. Requests are counted where the API server writes them down, those that are about no
namespace too (access reviews), so nobody else's ``tp`` may run beside it; watches, the Lease and
port-forwards are not counted, and the janitor's are counted by themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench.place import IMAGE, PYTHON, Place

_UNCOUNTED = ("leases", "pods/portforward")


def measure(place: Place, count: int, audit: Path | None) -> dict[str, Any]:
    """Bring ``count`` Deployments up and down; return seconds, and requests by the audit log."""
    names = [f"many-{number}" for number in range(count)]
    place.apply(*(one for name in names for one in _deployment(name)))
    for name in names:
        place.call(place.kubectl("rollout", "status", f"deployment/{name}", "--timeout=300s"))
    bare_s = _bare_pods_s(place, count)
    _write_file(place, names)
    size = os.path.getsize(audit) if audit else 0
    began_s = time.monotonic()
    place.call(place.tp("up", "-d"))
    up_s = time.monotonic() - began_s
    place.call(place.tp("down"))
    down_s = time.monotonic() - began_s - up_s
    figures: dict[str, Any] = {"count": count, "bare_s": bare_s, "up_s": up_s, "down_s": down_s}
    if audit:
        time.sleep(1.0)  # the API server writes its log in the background
        for who, agent in (("requests", "tp/"), ("janitor_requests", "tp-janitor")):
            found = requests(audit, size, place.namespace, agent)
            figures |= {who: sum(found.values()), f"{who}_by_verb": dict(found.most_common())}
        figures["requests_per_workload"] = round(figures["requests"] / count, 2)
    return figures


def requests(audit: Path, since: int, namespace: str, agent: str) -> Counter[str]:
    """Count what was asked for in a namespace or in none, by verb and resource.

    Args:
        audit: the API server's log.
        since: from which byte of it on.
        namespace: where; what is about no namespace counts as well.
        agent: how the asker's ``User-Agent`` begins.
    """
    found: Counter[str] = Counter()
    with audit.open("rb") as log:
        log.seek(since)
        for line in log:
            event = json.loads(line)
            what = event.get("objectRef") or {}
            ours = event.get("userAgent", "").startswith(agent)
            if not ours or event["stage"] != "ResponseComplete" or event["verb"] == "watch":
                continue
            name = "/".join(filter(None, (what.get("resource"), what.get("subresource"))))
            if what.get("namespace", namespace) == namespace and name not in _UNCOUNTED:
                found[f"{event['verb']} {name or event['requestURI']}"] += 1
    return found


def _bare_pods_s(place: Place, count: int) -> float:
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"bare-{number}", "labels": {"bare": "yes"}},
            "spec": {"containers": [_container()], "terminationGracePeriodSeconds": 0},
        }
        for number in range(count)
    ]
    began_s = time.monotonic()
    place.apply(*pods)
    wait = ("wait", "--for=condition=Ready", "pod", "-l", "bare=yes", "--timeout=300s")
    place.call(place.kubectl(*wait))
    took_s = time.monotonic() - began_s
    place.call(place.kubectl("delete", "pod", "-l", "bare=yes", "--force", "--grace-period=0"))
    return took_s


def _container() -> dict[str, Any]:
    command = [PYTHON, "-c", "import time; time.sleep(3600)"]
    ports = [{"name": "http", "containerPort": 8080}]
    return {"name": "main", "image": IMAGE, "command": command, "ports": ports}


def _deployment(name: str) -> list[dict[str, Any]]:
    labels = {"app": name}
    pod = {"containers": [_container()], "terminationGracePeriodSeconds": 0}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
        },
    ]


def _write_file(place: Place, names: list[str]) -> None:
    workloads = {
        name: {"target": f"deployment/{name}", "expose": [], "run": {"command": "sleep 3600"}}
        for name in names
    }
    file = {
        "version": 1,
        "name": place.namespace,
        "cluster": {"image": {"name": IMAGE, "python": PYTHON}},
        "workloads": workloads,
    }
    (place.folder / "telepresence.yaml").write_text(json.dumps(file))


def audit_log() -> Path | None:
    """Return the rig's audit log; None where this checkout has no rig, or ``TP_BENCH_AUDIT``."""
    if given := os.environ.get("TP_BENCH_AUDIT"):
        return Path(given)
    done = subprocess.run(
        [sys.executable, "-m", "tests.rig", "audit"], capture_output=True, text=True, check=False
    )
    return Path(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else None
