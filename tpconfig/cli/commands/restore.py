"""``tp restore``."""

from __future__ import annotations

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("restore", short_help="Put back what dead sessions have left.")
@click.option("--session", metavar="ID", help="Only what this one has left.")
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@common_options
def command(session: str | None, all_namespaces: bool, common: Common) -> None:
    """Put back what dead sessions have left, whoever's they were.

    Dead is whose lease has run out or is gone. The janitor of a session does the same by itself;
    this is for where there is none. The living are not touched: `tp down --session ID --force`.
    """
    from tpconfig.cli.render import EventView
    from tpconfig.session.restoring import restore

    try:
        view = EventView(as_json=common.json, loudness=common.loudness)
        work = restore(reload_of(common), view.show, session=session, everywhere=all_namespaces)
        edge.run(work)
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
