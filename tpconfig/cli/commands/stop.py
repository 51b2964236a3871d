"""``tp stop``."""

from __future__ import annotations

import click

from tpconfig.cli import completing
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.processes import change


@click.command("stop", short_help="Stop processes.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.workloads)
@common_options
def command(names: tuple[str, ...], common: Common) -> None:
    """Stop the commands of these workloads, or of all, until `tp start`.

    The workloads stay swapped: their callers are refused meanwhile, or answered by whoever listens
    on the same ports of this machine, a debugger for one.
    """
    change("stop", names, common, past="stopped", nothing="nothing runs")
