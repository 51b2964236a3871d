"""How long a file takes from bytes to a checked model, after imports; needs no cluster."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tpconfig.config.load import load

QUICK_START = """\
version: 1
workloads:
  web:
    target: deployment/web
    expose: [3000:8080]
"""
_WORKLOAD = """\
  w{number}:
    target: deployment/w{number}
    profiles: [web, back]
    expose:
      - {port}:8080
      - 9229:debug
      - {{local: 8443, cluster: https, wait: 10s}}
    env:
      set:
        LOG_LEVEL: debug
        URL: http://${{USER:-me}}.example.com
        VERSION: 1.10
      unset: [OTEL_*]
    volumes: mount
    run:
      command: [python, -m, app, --port, "8080"]
      ready: {{http: "http://localhost:3000/healthz", timeout: 60s}}
      restart: on-failure
      stop: {{signal: SIGTERM, timeout: 10s}}
      depends_on: [w0]
"""


def measure(runs: int) -> dict[str, float]:
    """Return the medians in milliseconds of CPU, which other work on the machine does not count."""
    workloads = [_WORKLOAD.format(number=n, port=3000 + n) for n in range(150)]
    workloads[0] = workloads[0].replace("      depends_on: [w0]\n", "")
    large = "version: 1\nworkloads:\n" + "".join(workloads)
    assert large.count("\n") >= 3000, large.count("\n")
    return {"file_3000_lines_ms": _ms(large, runs), "file_5_lines_ms": _ms(QUICK_START, runs)}


def _ms(text: str, runs: int) -> float:
    with tempfile.TemporaryDirectory(prefix="tp-bench-") as name:
        folder = Path(name)
        path = folder / "telepresence.yaml"
        path.write_text(text, encoding="utf-8")
        took_s = []
        for _ in range(runs):
            began_s = time.process_time()
            load([path], cwd=folder, environ={})
            took_s.append(time.process_time() - began_s)
    return statistics.median(took_s) * 1000
