"""``tp plan``."""

from __future__ import annotations

import json
import os
import sys

import click

from tpconfig.cli import completing, notes
from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options, wants_color
from tpconfig.cli.wish import reload_of


@click.command("plan", short_help="Show what `tp up` would do.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.workloads)
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Also its workloads.")
@click.option("--exit-code", is_flag=True, help="Exit with 4 when there is something to do.")
@click.option(
    "-o", "--output", metavar="FILE", help="Write the plan down, for `tp up --plan FILE`."
)
@common_options
def command(
    names: tuple[str, ...],
    profiles: tuple[str, ...],
    exit_code: bool,
    output: str | None,
    common: Common,
) -> None:
    """Show what `tp up` would do, with the reason for each step, and change nothing.

    Each field of the cluster that will change is shown as it is and as it will be.
    Checks everything that can be checked before: the file, the targets, the ports, the commands,
    and each permission. A running session is taken into account: once it is up, the plan is empty.
    """
    from tpconfig.cli import render
    from tpconfig.errors import ExitCode, Problem
    from tpconfig.session import loading, planfile, planning

    try:
        reload = reload_of(common, names, profiles=profiles)
        noted: list[Problem] = []
        wish = loading.load(reload, os.environ, noted=noted)
        notes.show(noted, as_json=common.json)
        view = render.EventView(as_json=False, loudness=common.loudness)
        planned = edge.run(planning.plan(wish, view.show))
        if output is not None:
            planfile.write(output, planned, reload)
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    if common.json:
        render.write(json.dumps(planfile.plan_json(planned), indent=2))
    else:
        render.write(render.plan_text(planned, color=wants_color(sys.stdout.isatty())))
        if text := render.permissions_text(planned.plan):
            render.write(text)
    if exit_code and not planned.plan.empty:
        sys.exit(ExitCode.PENDING)
