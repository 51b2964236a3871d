"""One JSON line per notable event, on stdout, where ``kubectl logs`` finds it.

Never per packet, never with a secret: who calls it names every field.
"""

from __future__ import annotations

import json
import time
from typing import TextIO


class Log:
    """Writes events as JSON lines; a reader that went away is no reason to end."""

    __slots__ = ("_out",)

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, event: str, **fields: object) -> None:
        """Write one event; ``fields`` that are None are left out."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        line: dict[str, object] = {"time": f"{stamp}.{int(now % 1 * 1000):03d}Z", "event": event}
        line |= {key: value for key, value in fields.items() if value is not None}
        try:
            self._out.write(json.dumps(line, default=str) + "\n")
            self._out.flush()
        except (OSError, ValueError):
            pass
