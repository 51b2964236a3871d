"""``python -m tests.rig COMMAND``; the answer is the last line of stdout."""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.rig import choice, kubeconfig, kubectl, probe
from tests.rig.api import RefusedError
from tests.rig.failure import RigError
from tests.rig.steps import say

COMMANDS = {
    "up": "start or repair the cluster; prints the kubeconfig's path",
    "down": "remove it; the builds stay",
    "status": "print what runs, as JSON; exit code 1 when it is not healthy",
    "kubeconfig": "print the kubeconfig's path",
    "image": "build and load the proxy image; print its reference",
    "audit": "print the path of the API server's audit log",
    "probe": "print the path of the static Go client",
    "kubectl": "print the path of a kubectl",
}


def main() -> int:
    """Runs one command; 1 when it failed."""
    lines = "\n".join(f"  {name:<12}{text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.rig", epilog=lines, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    command = parser.parse_args().command
    began = time.monotonic()
    try:
        answer = _answer(command)
    except (RigError, RefusedError, OSError) as error:
        print(f"rig: {command} failed: {error}", file=sys.stderr)
        return 1
    if command in ("up", "down", "image"):
        say(f"{command}: {time.monotonic() - began:.1f} s in all")
    if isinstance(answer, dict):
        print(json.dumps(answer, indent=2))
        return 0 if answer.get("healthy", True) else 1
    if answer:
        print(answer)
    return 0


def _answer(command: str) -> str | dict[str, object]:
    match command:
        case "up":
            return str(choice.up().kubeconfig)
        case "down":
            choice.down()
            return ""
        case "status":
            return choice.status()
        case "image":
            return choice.image()
        case "audit":
            return _audit()
        case "probe":
            return str(probe())
        case "kubectl":
            return str(kubectl())
        case _:
            return str(kubeconfig())


def _audit() -> str:
    log = choice.found(choice.choose()).audit
    if log is None:
        raise RigError("only the bare rig keeps an audit log")
    return str(log)


if __name__ == "__main__":
    sys.exit(main())
