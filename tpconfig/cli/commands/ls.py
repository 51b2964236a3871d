"""``tp ls``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.table import in_columns
from tpconfig.cli.wish import reload_of

if TYPE_CHECKING:
    from tpconfig.session.listing import Listed

HEAD = ("NAMESPACE", "SESSION", "NAME", "WHO", "TARGETS", "SINCE", "STATE", "JANITOR", "FILE")


@click.command("ls", short_help="List the sessions of a namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="In every namespace.")
@common_options
def command(all_namespaces: bool, common: Common) -> None:
    """List the sessions of a namespace, whoever's they are: who, what, since when, how it stands.

    The namespace is -n, else the context's. Nothing is changed.
    """
    from tpconfig.cli import render
    from tpconfig.session import listing

    try:
        found = edge.run(listing.sessions(reload_of(common), everywhere=all_namespaces))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    if common.json:
        render.write(json.dumps([asdict(one) for one in found], indent=2))
    elif found:
        render.write(table(found))
    else:
        click.echo("no sessions", err=True)


def table(found: Sequence[Listed]) -> str:
    """Describe sessions as a table."""
    return "\n".join(in_columns([HEAD, *(_row(one) for one in found)]))


def _row(one: Listed) -> tuple[str, ...]:
    state = one.state
    if one.place is not None:
        state += f", place {one.place}"
    if one.renewed_s is not None and one.state in ("expired", "given back"):
        state += f", silent for {one.renewed_s:.0f} s"
    return (
        one.namespace,
        one.session,
        one.name or "-",
        one.holder or "-",
        ",".join(one.targets) or "-",
        one.since[:19] + "Z" if one.since else "-",
        state,
        "yes" if one.janitor else "no",
        one.file or "-",
    )
