"""``tp wait``."""

from __future__ import annotations

import os

import click

from tpconfig.cli import completing
from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("wait", short_help="Wait until the session is up, or has ended.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.workloads)
@click.option(
    "--for",
    "what",
    type=click.Choice(["up", "down"]),
    default="up",
    show_default=True,
    help="Until when.",
)
@click.option("--timeout", default="60s", show_default=True, metavar="TIME", help="How long.")
@common_options
def command(names: tuple[str, ...], what: str, timeout: str, common: Common) -> None:
    """Wait until these workloads, or all, are linked and their processes run; or until the session
    has ended.

    The session need not have been started yet. Exits with 1 when the time is over.
    """
    from tpconfig.config import values
    from tpconfig.errors import UsageError
    from tpconfig.session import waiting

    try:
        try:
            timeout_s = values.duration_s(timeout)
        except values.ValueProblem as problem:
            raise UsageError(f"--timeout: {problem.message}", hint=problem.hint) from None
        if what == "down":
            edge.run(waiting.until_down(reload_of(common), os.environ, timeout_s=timeout_s))
        else:
            edge.run(waiting.until_up(reload_of(common), os.environ, names, timeout_s=timeout_s))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
