"""``tp up``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from tpconfig.cli import completing, notes
from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of
from tpconfig.session.wish import STDIN

if TYPE_CHECKING:
    from tpconfig.model.events import Event
    from tpconfig.session.ahead import Ahead
    from tpconfig.session.detached import EventPipe
    from tpconfig.session.executor import Emit
    from tpconfig.session.planfile import PlanFile
    from tpconfig.session.wish import Reload


@click.command("up", short_help="Swap the file's workloads for local processes.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.workloads)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    help="Also its workloads.",
    shell_complete=completing.profiles,
)
@click.option("-d", "--detach", is_flag=True, help="Return when everything is up.")
@click.option("--now", is_flag=True, help="Move the traffic before anybody listens here.")
@click.option("--keep", is_flag=True, help="Leave what was done where `up` fails.")
@click.option("--no-watch", is_flag=True, help="Do not follow the file while it changes.")
@click.option(
    "--plan", "plan", metavar="FILE", help="Do exactly what `tp plan -o FILE` wrote, or nothing."
)
@click.option(
    "--exit-code-from",
    metavar="NAME",
    help="End with this workload's process, and its exit code.",
    shell_complete=completing.workloads,
)
@click.option("--abort-on-exit", is_flag=True, help="End when any process ends for good.")
@click.option(
    "--on-conflict",
    type=click.Choice(["fail", "wait", "takeover"]),
    help="When somebody else holds a target; else session.on_conflict.",
)
@common_options
def command(
    names: tuple[str, ...],
    profiles: tuple[str, ...],
    detach: bool,
    now: bool,
    keep: bool,
    no_watch: bool,
    plan: str | None,
    exit_code_from: str | None,
    abort_on_exit: bool,
    on_conflict: str | None,
    common: Common,
) -> None:
    """Swap the file's workloads for local processes, and hold that until Ctrl-C.

    Shows the plan and applies it: claims each target, starts an agent Pod beside the original,
    hands its environment and names over, starts the process, moves the traffic, and scales the
    original to 0. Ctrl-C, `tp down`, or the end of every process puts it all back. Until then what
    is saved in the file is planned and applied while the rest goes on.

    With NAMEs, only these workloads and what they depend on. Without a `run` in the file, a shell
    that lives in the cluster; its end is the session's.
    """
    try:
        asked = _Asked(
            common=common,
            names=names,
            profiles=profiles,
            now=now,
            keep=keep,
            watch=not no_watch,
            plan=plan,
            exit_code_from=exit_code_from,
            abort_on_exit=abort_on_exit,
            on_conflict=on_conflict,
        )
        code = (_detached if detach else _here)(asked, _read(asked))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    sys.exit(code)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The command line of one ``tp up``."""

    common: Common
    names: tuple[str, ...]
    profiles: tuple[str, ...]
    now: bool
    keep: bool
    watch: bool
    plan: str | None
    exit_code_from: str | None
    abort_on_exit: bool
    on_conflict: str | None


@dataclass(frozen=True, slots=True)
class _Given:
    """The file, which is being read, and the plan that is to be applied exactly, if any."""

    reading: Ahead
    exactly: PlanFile | None


def _read(asked: _Asked) -> _Given:
    """Begin to read the file, before anything else is imported."""
    from tpconfig.session.ahead import read_ahead

    exactly = _plan_of(asked) if asked.plan is not None else None
    reload = exactly.reload if exactly else _reload_of(asked)
    return _Given(read_ahead(reload, os.environ), exactly)


def _here(asked: _Asked, given: _Given) -> int:
    """Come up in this process, and hold."""
    from tpconfig.cli.render import EventView

    view = EventView(as_json=asked.common.json, loudness=asked.common.loudness)
    return _up(asked, given, view.show, lambda: None, attended=True)


def _detached(asked: _Asked, given: _Given) -> int:
    """Start the session in a process of its own, and wait until it is up."""
    from tpconfig.cli.render import EventView
    from tpconfig.local import state
    from tpconfig.model.events import ProcessOutput
    from tpconfig.session import detached

    folder = state.prepare(state.folder(os.environ))
    view = EventView(as_json=asked.common.json, loudness=asked.common.loudness)

    def session(pipe: EventPipe) -> int:
        view = EventView(as_json=asked.common.json, loudness=asked.common.loudness)

        def emit(event: Event) -> None:
            pipe.emit(event)
            if not isinstance(event, ProcessOutput):  # kept for `tp logs`, within bounds
                view.show(event)

        try:
            up = lambda: pipe.finish(detached.Outcome(0))  # noqa: E731
            code = _up(asked, given, emit, up, attended=False)
        except (Exception, KeyboardInterrupt) as error:
            text, code = edge.explain(edge.flatten(error))
            pipe.finish(detached.Outcome(code, text))
        return code

    outcome = detached.launch(session, str(folder / "detached.log"), view.show)
    if outcome.text:
        print(outcome.text, file=sys.stderr)
    return outcome.code


def _up(
    asked: _Asked, given: _Given, emit: Emit, is_up: Callable[[], None], *, attended: bool
) -> int:
    """Hold what the file asks for; return the exit code."""
    from tpconfig.errors import UsageError
    from tpconfig.session.up import UpOptions, up

    wish, noted = given.reading.take()
    notes.show(noted, as_json=asked.common.json)
    known = {workload.name for workload in wish.desired.workloads}
    if asked.exit_code_from is not None and asked.exit_code_from not in known:
        raise UsageError(f"--exit-code-from: the file has no workload `{asked.exit_code_from}`")
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not asked.common.json
    runs = any(workload.run for workload in wish.desired.workloads)
    options = UpOptions(
        reload=given.reading.reload,
        keep=asked.keep,
        interactive=attended and terminal and bool(known) and not runs,
        stay=not attended,
        watch=asked.watch and STDIN not in given.reading.reload.files,
        exit_code_from=asked.exit_code_from,
        abort_on_exit=asked.abort_on_exit,
        exactly=given.exactly,
    )
    return edge.run(up(wish, options, emit, is_up))


def _reload_of(asked: _Asked) -> Reload:
    found = reload_of(asked.common, asked.names, profiles=asked.profiles, now=asked.now)
    return replace(found, on_conflict=asked.on_conflict)


def _plan_of(asked: _Asked) -> PlanFile:
    """Read the plan that is to be applied; it says by itself what it is about.

    Raises:
        UsageError: it is none, or the command line says something else besides.
    """
    from tpconfig.errors import UsageError
    from tpconfig.session import planfile

    common = asked.common
    others = (common.files, common.context, common.kubeconfig, common.namespace)
    if any((asked.names, asked.profiles, asked.now, *others)):
        raise UsageError(
            "--plan says what to do, with which file and where; nothing can be added to it",
            hint="make another plan: tp plan -o FILE",
        )
    found = planfile.read(os.path.abspath(asked.plan or ""))
    return replace(found, reload=replace(found.reload, meant=common.meant or found.reload.meant))
