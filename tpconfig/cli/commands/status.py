"""``tp status``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.table import in_columns
from tpconfig.cli.wish import reload_of


@click.command("status", short_help="Show the running session.")
@common_options
def command(common: Common) -> None:
    """Show the running session: its workloads, where their traffic goes, link and process.

    Exits with 1 where no session is up.
    """
    from tpconfig.cli import render
    from tpconfig.session import asking

    try:
        status = edge.run(asking.ask(reload_of(common), os.environ, {"do": "status"}))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    render.write(json.dumps(status, indent=2) if common.json else status_text(status))


def status_text(status: Mapping[str, Any]) -> str:
    """Describe a session as a small table."""
    lines = [
        f"session {status['session']} ({status['name']}) of {status['holder']}",
        f"context {status['context']}, namespaces {', '.join(status['namespaces'])}, "
        f"method {status['method']}",
        "",
    ]
    rows = [("WORKLOAD", "TARGET", "PORTS", "TRAFFIC", "LINK", "PROCESS")]
    for one in status["workloads"]:
        rows.append(
            (
                one["name"],
                one["target"],
                " ".join(one["ports"]) or "-",
                one["traffic"],
                _link(one),
                one["process"] or "-",
            )
        )
    lines += in_columns(rows)
    forwards = [
        f"{forward}  (over {one['name']})"
        for one in status["workloads"]
        for forward in one["forwards"]
    ]
    return "\n".join([*lines, *(["", "FORWARDS", *forwards] if forwards else [])])


def _link(one: Mapping[str, Any]) -> str:
    """Describe a link: its round trip, or for how long it has been lost; and how often it was."""
    if one["lost_s"] is not None:
        now = f"lost {one['lost_s']:.0f} s"
    else:
        now = one["link"] + (f" {one['rtt_ms']} ms" if one["rtt_ms"] is not None else "")
    return now + (f", reconnected {one['reconnects']}x" if one["reconnects"] else "")
