"""``tp shell``."""

from __future__ import annotations

import os
import sys

import click

from tpconfig.cli import completing
from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("shell", short_help="Open a shell in a workload's world.")
@click.argument("name", required=False, shell_complete=completing.workloads)
@common_options
def command(name: str | None, common: Common) -> None:
    """Open your shell in a workload's world: its environment, names, network and files.

    Needs a running session (`tp up -d`). Without NAME, its only workload. The session goes on when
    the shell ends; `tp run NAME -- CMD` runs one command.
    """
    from pathlib import Path

    from tpconfig.errors import ExitCode
    from tpconfig.local.keeper import enter
    from tpconfig.local.shell import interactive
    from tpconfig.session import asking

    try:
        request = {"do": "world", "workload": name}
        world = edge.run(asking.ask(reload_of(common), os.environ, request))
        started = interactive(world["env"], Path(world["folder"]))
        sys.stdout.flush()
        enter(world["keeper"], started.argv, {**world["env"], **started.env}, os.getcwd())
    except (Exception, KeyboardInterrupt) as error:
        text, _ = edge.explain(edge.flatten(error))
        print(text, file=sys.stderr)
        sys.exit(ExitCode.RUN_FAILED)
