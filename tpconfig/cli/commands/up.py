"""``tp up``."""

from __future__ import annotations

import os
import sys

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("up", short_help="Swap the file's workloads for local processes.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-d", "--detach", is_flag=True, help="Return when everything is up.")
@click.option("--now", is_flag=True, help="Move the traffic before anybody listens here.")
@click.option("--keep", is_flag=True, help="Leave what was done where `up` fails.")
@click.option(
    "--exit-code-from", metavar="NAME", help="End with this workload's process, and its exit code."
)
@click.option("--_events", "events", type=int, hidden=True)
@common_options
def command(
    names: tuple[str, ...],
    detach: bool,
    now: bool,
    keep: bool,
    exit_code_from: str | None,
    events: int | None,
    common: Common,
) -> None:
    """Swap the file's workloads for local processes, and hold that until Ctrl-C.

    Shows the plan and applies it: claims each target, starts an agent Pod beside the original,
    hands its environment and names over, starts the process, moves the traffic, and scales the
    original to 0. Ctrl-C, `tp down`, or the end of every process puts it all back.

    With NAMEs, only these workloads. Without a `run` in the file, a shell that lives in the
    cluster; its end is the session's.
    """
    try:
        if detach and events is None:
            _detach(common)
        else:
            _here(names, events, (now, keep, exit_code_from), common)
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)


def _here(
    names: tuple[str, ...],
    events: int | None,
    flags: tuple[bool, bool, str | None],
    common: Common,
) -> None:
    """Come up in this process."""
    from tpconfig.cli.diagnostics import render_problem
    from tpconfig.cli.render import EventView
    from tpconfig.errors import Problem, UsageError
    from tpconfig.session import detached, loading
    from tpconfig.session.up import UpOptions, up

    now, keep, exit_code_from = flags
    view = EventView(as_json=common.json, verbose=common.verbose)
    pipe = detached.EventPipe(events) if events is not None else None
    reload = reload_of(common, names, now=now)
    emit = view.show
    if pipe is not None:
        own = view.show

        def emit(event):  # type: ignore[no-untyped-def]
            pipe.emit(event)
            own(event)

    try:
        noted: list[Problem] = []
        wish = loading.load(reload, os.environ, noted=noted)
        if pipe is None:
            for problem in noted:
                print(render_problem(problem, color=False), file=sys.stderr)
        known = {workload.name for workload in wish.desired.workloads}
        if exit_code_from is not None and exit_code_from not in known:
            raise UsageError(f"--exit-code-from: the file has no workload `{exit_code_from}`")
        terminal = sys.stdin.isatty() and sys.stdout.isatty() and not common.json
        runs = any(workload.run for workload in wish.desired.workloads)
        options = UpOptions(
            reload=reload,
            keep=keep,
            interactive=terminal and not runs and pipe is None and bool(known),
            stay=pipe is not None,
            exit_code_from=exit_code_from,
        )
        code = edge.run(
            up(wish, options, emit, lambda: pipe.finish(detached.Outcome(0)) if pipe else None)
        )
    except (Exception, KeyboardInterrupt) as error:
        if pipe is None:
            raise
        text, code = edge.explain(edge.flatten(error))
        pipe.finish(detached.Outcome(code, text))
    sys.exit(code)


def _detach(common: Common) -> None:
    """Start the session in a process of its own, and wait until it is up."""
    from tpconfig.cli.render import EventView
    from tpconfig.local import state
    from tpconfig.session import detached

    folder = state.prepare(state.folder(os.environ))
    view = EventView(as_json=common.json, verbose=common.verbose)
    outcome = detached.launch(sys.argv[1:], str(folder / "detached.log"), view.show)
    if outcome.text:
        print(outcome.text, file=sys.stderr)
    sys.exit(outcome.code)
