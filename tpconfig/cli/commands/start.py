"""``tp start``."""

from __future__ import annotations

import click

from tpconfig.cli import completing
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.processes import change


@click.command("start", short_help="Start stopped processes.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.workloads)
@common_options
def command(names: tuple[str, ...], common: Common) -> None:
    """Start the commands of these workloads, or of all, that were stopped or have ended.

    Waits until they are ready; what runs is left alone.
    """
    change("start", names, common, past="started", nothing="everything runs already")
