"""Requests and bulk, out of this machine into the cluster and back in, beside kubectl."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.place import PEER, PORT, PYTHON, Place


def measure(place: Place) -> dict[str, Any]:
    """Return the figures of ``kubectl port-forward``, of ``out`` and of ``in``."""
    ask = [sys.executable, str(PEER), "measure"]
    with _port_forward(place) as port:
        kubectl = json.loads(place.call([*ask, "127.0.0.1", str(port)]))
    place.call(place.tp("up", "-d"))
    try:
        out = json.loads(place.call(place.tp("run", "web", "--", *ask, "other", str(PORT))))
        inside = place.kubectl("exec", "-i", "deploy/other", "--", PYTHON, "-", "measure", "web")
        given = PEER.read_text()
        in_ = json.loads(place.call([*inside, str(PORT)], given=given))
    finally:
        place.call(place.tp("down"))
    return {"kubectl": kubectl, "out": out, "in": in_}


@contextmanager
def _port_forward(place: Place) -> Iterator[int]:
    program = subprocess.Popen(
        place.kubectl("port-forward", "deploy/other", f":{PORT}"),
        env=place.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", program.stdout.readline())
        if found is None:
            raise SystemExit("kubectl port-forward did not say its port")
        yield int(found[1])
    finally:
        program.kill()
        program.wait()
