"""``tp events``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options_without_f
from tpconfig.cli.wish import reload_of

LOOK_S = 0.1
LOGGER = "tpconfig.events"
OURS = ("event", "level", "logger", "session", "timestamp")
"""What every record has; the rest is the event's own."""


@click.command("events", short_help="Print what has happened in the session.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the session ends, or Ctrl-C.")
@common_options_without_f
def command(follow: bool, common: Common) -> None:
    """Print what has happened in the running session: steps, links, restarts, saves, remarks.

    With `--json` one object a line: `time`, `event`, and what the event says.
    """
    from tpconfig.local import state
    from tpconfig.local.tailing import Tail
    from tpconfig.session import asking

    try:
        status = edge.run(asking.ask(reload_of(common), os.environ, {"do": "status"}))
        paths = state.session(state.folder(os.environ), status["session"])
        tail = Tail(paths.own_log)
        for line in tail.begin():
            _print(line, status["session"], as_json=common.json)
        while follow and _lives(paths.socket):
            time.sleep(LOOK_S)
            for line in tail.more():
                _print(line, status["session"], as_json=common.json)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # `tp events | head`
        edge.leave_the_pipe()
    except Exception as error:
        edge.fail(error)


def _print(line: bytes, session: str, *, as_json: bool) -> None:
    try:
        record = json.loads(line)
    except ValueError:
        return  # cut by a full disk
    if record.get("logger") != LOGGER or record.get("session") != session:
        return
    own = {key: value for key, value in record.items() if key not in OURS}
    if as_json:
        print(
            json.dumps({"time": record["timestamp"], "event": record["event"], **own}), flush=True
        )
    else:
        print(f"{record['timestamp'][:19]} {text(record['event'], own)}", flush=True)


def text(event: str, own: Mapping[str, Any]) -> str:
    """Say an event in one line: what the event says in words, else its values by name."""
    if "text" in own:
        return str(own["text"])
    if event == "Planned":
        return f"planned: {len(own['actions'])} steps in context {own['context']}"
    if "action" in own:
        how = {
            "ActionStarted": "begins",
            "ActionWaiting": f"waits for {own.get('waits_for')}",
            "ActionDone": f"done after {own.get('took_s', 0):.2f} s",
            "ActionFailed": f"failed: {own.get('error')}",
        }.get(event, event)
        return f"{own['action']} ({how})"
    values = ", ".join(f"{key} {value}" for key, value in own.items() if value not in ("", []))
    return f"{event}: {values}" if values else event


def _lives(socket: Path) -> bool:
    return socket.exists()
