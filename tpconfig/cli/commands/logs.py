"""``tp logs``."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpconfig.cli import completing
from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options_without_f
from tpconfig.cli.wish import reload_of

if TYPE_CHECKING:
    from tpconfig.cli.render import EventView
    from tpconfig.session.outputs import Written

LOOK_S = 0.1


@click.command("logs", short_help="Print what the processes wrote.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.workloads)
@click.option("-f", "--follow", is_flag=True, help="Go on until the session ends, or Ctrl-C.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option(
    "--since", metavar="TIME", help="Only what is newer: 90s, 10m, 2h, or 2026-11-23T14:00:00."
)
@click.option("-t", "--timestamps", is_flag=True, help="With the time of each line.")
@common_options_without_f
def command(
    names: tuple[str, ...],
    follow: bool,
    tail: int | None,
    since: str | None,
    timestamps: bool,
    common: Common,
) -> None:
    """Print what the processes of the running session wrote: of these workloads, or of all.

    The last 8 to 16 MiB are kept while the session lives. `-f` follows; the file of the session is
    `--file`, or `tp -f FILE logs`.
    """
    from tpconfig.cli.render import EventView
    from tpconfig.local import state
    from tpconfig.session import asking
    from tpconfig.session.outputs import Choice, Reading

    try:
        choice = Choice(names, _since(since), tail)
        status = edge.run(asking.ask(reload_of(common), os.environ, {"do": "status"}))
        _check(names, [one["name"] for one in status["workloads"]])
        paths = state.session(state.folder(os.environ), status["session"])
        reading = Reading(paths.outputs, choice)
        view = EventView(as_json=False)
        for one in reading.begin():
            _print(view, one, timestamps=timestamps, as_json=common.json)
        while follow and _lives(paths.socket):
            time.sleep(LOOK_S)
            for one in reading.more():
                _print(view, one, timestamps=timestamps, as_json=common.json)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # `tp logs | head`
        edge.leave_the_pipe()
    except Exception as error:
        edge.fail(error)


def _print(view: EventView, one: Written, *, timestamps: bool, as_json: bool) -> None:
    from tpconfig.cli.render import event_json

    if as_json:
        print(json.dumps({"time": _stamp(one.at), **event_json(one.output)}), flush=True)
        return
    if timestamps:
        print(_stamp(one.at), end=" ")
    view.show(one.output)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")


def _lives(socket: Path) -> bool:
    return socket.exists()


def _check(names: tuple[str, ...], there: list[str]) -> None:
    from tpconfig.errors import UsageError

    for name in names:
        if name not in there:
            raise UsageError(f"no workload `{name}` is up", hint=f"up: {', '.join(there)}")


def _since(text: str | None) -> float:
    """Read how long ago, or when; return it in seconds since the epoch."""
    from tpconfig.config import values
    from tpconfig.errors import UsageError

    if text is None:
        return 0.0
    try:
        return time.time() - values.duration_s(text)
    except values.ValueProblem:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise UsageError(
            f"--since: `{text}` is neither a duration nor a time",
            hint="90s, 10m, 2h, or 2026-11-23T14:00:00",
        ) from None
