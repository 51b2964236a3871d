"""``tp down``."""

from __future__ import annotations

import os

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("down", short_help="Put the cluster back exactly as it was.")
@click.option("--session", metavar="ID", help="This session, from any folder or machine.")
@click.option("--all", "every", is_flag=True, help="Every session of yours in the namespace.")
@click.option("--force", is_flag=True, help="Also another user's living session.")
@common_options
def command(session: str | None, every: bool, force: bool, common: Common) -> None:
    """End the session and put the cluster back exactly as it was.

    Works whether its `tp up` lives or not, from another folder with a copy of the file, and from
    another machine with --session. Nothing to end is no error.

    With --all every session of your API user in the namespace, with --all --force everybody's.
    Whoever is ended by force is told, and their `tp up` exits with 5.
    """
    from tpconfig.cli.render import EventView
    from tpconfig.errors import ConfigError, UsageError
    from tpconfig.session import loading
    from tpconfig.session.down import DownOptions, down

    try:
        if every and session is not None:
            raise UsageError("--all or --session ID, not both")
        named = True
        try:
            wish = loading.load(reload_of(common), os.environ)
        except ConfigError:
            if common.files:
                raise
            named, wish = False, loading.without_file(reload_of(common), os.environ)
        options = DownOptions(session=session, named=named, force=force, all=every)
        view = EventView(as_json=common.json, loudness=common.loudness)
        edge.run(down(wish, options, view.show))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
