"""The janitor as a program: reads its settings, watches until SIGTERM or the end of the Lease."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from types import FrameType
from typing import Final

from tpconfig import names
from tpconfig.janitor.api import Api
from tpconfig.janitor.duty import Janitor

NAP_S: Final = 5.0
"""After the Lease is gone: this Pod goes with it, and a new Lease has a janitor of its own."""


def main() -> int:
    """Run the janitor; return the process's exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        settings = json.loads(os.environ[names.ENV_JANITOR])
        janitor = Janitor(
            Api(_server()),
            settings["namespace"],
            settings["session"],
            os.environ.get("HOSTNAME", "?"),
            log,
        )
    except (KeyError, ValueError, TypeError) as error:
        log("failed", message=f"the settings are not readable: {error!r}")
        return 1
    while True:
        janitor.run()
        time.sleep(NAP_S)


def log(event: str, **fields: object) -> None:
    """Write one JSON line, where ``kubectl logs`` finds it."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sys.stdout.write(json.dumps({"time": stamp, "event": event, **fields}) + "\n")
    sys.stdout.flush()


def _server() -> str:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _stop(number: int, frame: FrameType | None) -> None:
    log("stopped")
    raise SystemExit(0)
