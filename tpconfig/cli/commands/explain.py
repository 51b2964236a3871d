"""``tp explain``: the page of a diagnostic code."""

from __future__ import annotations

import json

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options


@click.command("explain", short_help="Explain a code such as TP104.")
@click.argument("code", required=False)
@common_options
def command(code: str | None, common: Common) -> None:
    """Print what a diagnostic CODE means, why it is one, and how to put it right.

    Without a CODE: all codes with a sentence each. A code never gets another meaning.
    """
    from tpconfig.cli import render
    from tpconfig.config import codes, explain

    try:
        if code is None:
            found = codes.ALL
            lines = [f"{one}  {meaning}" for one, meaning in found.items()]
            render.write(json.dumps(found, indent=2) if common.json else "\n".join(lines))
            return
        page = explain.page(code)
        shown = {"code": page.code, "meaning": page.meaning, "text": page.body.rstrip()}
        render.write(json.dumps(shown, ensure_ascii=False) if common.json else page.text())
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
