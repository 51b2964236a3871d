"""A load from inside the cluster that goes on until it is stopped, counted by who answered."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.e2e import objects

_CODE = """
import sys, threading
sys.path.insert(0, "/app")
import demo
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
while not over.is_set():
    demo.load(sys.argv[1], rate=float(sys.argv[2]), seconds=1, timeout_s=5)
"""


@dataclass
class Counts:
    """What became of the requests."""

    sent: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    served_by: Counter[str] = field(default_factory=Counter)
    failed_each_second: list[int] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Add one second's counts, as ``demo.py load`` prints them."""
        one = json.loads(line)
        self.sent += one["sent"]
        self.failed += one["failed"]
        self.reasons.update(one["reasons"])
        self.served_by.update(one["served_by"])
        self.failed_each_second.append(one["failed"])


class Load:
    """Requests at a steady rate; they flow once this is made, and until ``stop``."""

    def __init__(self, runner: Sequence[str], url: str, *, rate: int) -> None:
        self._program = subprocess.Popen(
            [*runner, objects.PYTHON, "-c", _CODE, url, str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._program.stdout is not None
        self._first = self._program.stdout.readline()
        assert self._first, self._program.communicate()[1]

    def stop(self) -> Counts:
        """End the load and return what became of all its requests."""
        out, err = self._program.communicate(timeout=60)
        assert self._program.returncode == 0, err
        counts = Counts()
        for line in (self._first, *out.splitlines()):
            counts.add(line)
        return counts
