"""``tp run``."""

from __future__ import annotations

import os
import sys

import click

from tpconfig.cli import completing
from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command(
    "run",
    short_help="Run a command in a workload's world.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@common_options
@click.argument("name", shell_complete=completing.workloads)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD [ARG]...")
def command(name: str, argv: tuple[str, ...], common: Common) -> None:
    """Run a command in a workload's world: its environment, names and network.

    Needs a running session (`tp up -d`). Input, output and exit code are the command's own; 125
    means that tp could not start it.

    \b
    Example: tp run web -- curl http://orders
    """
    from tpconfig.errors import ExitCode
    from tpconfig.local.keeper import enter
    from tpconfig.session import asking

    try:
        request = {"do": "world", "workload": name}
        world = edge.run(asking.ask(reload_of(common), os.environ, request))
        command_line = argv[1:] if argv[0] == "--" else argv
        sys.stdout.flush()
        enter(world["keeper"], command_line, world["env"], os.getcwd())
    except (Exception, KeyboardInterrupt) as error:
        text, _ = edge.explain(edge.flatten(error))
        print(text, file=sys.stderr)
        sys.exit(ExitCode.RUN_FAILED)
