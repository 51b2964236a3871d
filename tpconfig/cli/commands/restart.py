"""``tp restart``."""

from __future__ import annotations

import click

from tpconfig.cli import completing
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.processes import change


@click.command("restart", short_help="Restart processes.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.workloads)
@common_options
def command(names: tuple[str, ...], common: Common) -> None:
    """Restart the commands of these workloads, or of all, and wait until they are ready.

    The workloads stay swapped; `run.pre` and `run.post` do not run.
    """
    change("restart", names, common, past="restarted", nothing="there is no command")
