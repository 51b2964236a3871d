"""``tp ps``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.table import in_columns
from tpconfig.cli.wish import reload_of

FIELDS = ("name", "process", "pid", "restarts", "started_at")


@click.command("ps", short_help="Show the running session's processes.")
@common_options
def command(common: Common) -> None:
    """Show the processes of the running session: what they are about, and since when.

    RESTARTS counts how often one ended by itself and was started again.
    """
    from tpconfig.cli import render
    from tpconfig.session import asking

    try:
        status = edge.run(asking.ask(reload_of(common), os.environ, {"do": "status"}))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    found = [{key: one[key] for key in FIELDS} for one in status["workloads"]]
    render.write(json.dumps(found, indent=2) if common.json else ps_text(found, now=time.time()))


def ps_text(processes: Sequence[Mapping[str, Any]], *, now: float) -> str:
    """Describe processes as a small table."""
    rows = [("WORKLOAD", "PROCESS", "PID", "SINCE", "RESTARTS")]
    for one in processes:
        since = "-" if one["started_at"] is None else f"{_age(now - one['started_at'])} ago"
        pid = "-" if one["pid"] is None else str(one["pid"])
        rows.append((one["name"], one["process"] or "-", pid, since, str(one["restarts"])))
    return "\n".join(in_columns(rows))


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
