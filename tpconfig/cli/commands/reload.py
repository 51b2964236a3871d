"""``tp reload``."""

from __future__ import annotations

import json
import os

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("reload", short_help="Apply the file to the running session.")
@common_options
def command(common: Common) -> None:
    """Apply the file to the running session now, as saving it does.

    For `tp up --no-watch`, and to try again what failed. Prints what was done; the session goes on
    as it was where the file is broken.
    """
    from tpconfig.cli import render
    from tpconfig.session import asking

    try:
        answer = edge.run(asking.ask(reload_of(common), os.environ, {"do": "reload"}))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    changes = list(answer["changes"])
    if common.json:
        render.write(json.dumps({"changes": changes}))
    else:
        render.write("\n".join(changes) or "nothing to do: the session is as the file says")
