"""``tp rbac``."""

from __future__ import annotations

import json

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("rbac", short_help="Print the Role that a session takes.")
@click.option("--janitor", is_flag=True, help="Print the account that janitors share instead.")
@click.option("--group", metavar="NAME", help="Also bind the Role to this group of users.")
@common_options
def command(janitor: bool, group: str | None, common: Common) -> None:
    """Print the Role that a session takes in a namespace, as YAML for `kubectl apply -f -`.

    With --janitor, what an administrator applies once per namespace in which users may not create
    Roles (the stock `edit` role may not): an account for the janitors of all sessions there.

    The namespace is -n, else the context's. Nothing is changed and the file is not read.
    """
    from tpconfig.cli import render
    from tpconfig.errors import UsageError
    from tpconfig.session import roles

    try:
        if janitor and group is not None:
            raise UsageError("--group is for users; a janitor's account is bound to its own Role")
        found = edge.run(roles.roles(reload_of(common), janitor=janitor, group=group))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    if common.json:
        items = {"apiVersion": "v1", "kind": "List", "items": found}
        render.write(json.dumps(items, indent=2))
    else:
        render.write(render.yaml_documents(found))
