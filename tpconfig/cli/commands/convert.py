"""``tp convert``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options


@click.command("convert", short_help="Make a file of another tool's.")
@click.argument("words", nargs=-1, required=True, metavar="FILE... | -- telepresence [OPTION]...")
@common_options
def command(words: tuple[str, ...], common: Common) -> None:
    """Print the telepresence.yaml that does what another tool's file or command line did.

    FILE is a mirrord.json (TOML and YAML too), a mirrord-up.yaml, or a compose file with `x-tele`
    (and those that lie over it); the command line is one of Telepresence 1.

    What could not be carried over is said in its comments and on standard error, with what to do
    instead. Nothing is written, and no cluster is asked:

    \b
      tp convert -- telepresence --swap-deployment web --expose 8080 --run npm start
    """
    from tpconfig.cli import render
    from tpconfig.config.convert import draft, files, telepresence1

    try:
        if Path(words[0]).name != "telepresence":
            converted = files.convert([Path(word) for word in words], words)
        else:
            converted = telepresence1.convert(words)
        text = converted.text()
        draft.check(text)
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    render.write(text.rstrip("\n"))
    for note in converted.notes:
        render.write(f"note: {note}", sys.stderr)
