"""``tp config``: what the files come to, without asking a cluster."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tpconfig.cli import exit as edge
from tpconfig.cli import notes
from tpconfig.cli.options import Common, common_options

if TYPE_CHECKING:
    from tpconfig.config.load import Loaded


@click.group("config", invoke_without_command=True, short_help="Print what the files come to.")
@click.option("--origins", is_flag=True, help="Every value on a line, with where it was written.")
@common_options
@click.pass_context
def command(ctx: click.Context, origins: bool, common: Common) -> None:
    """Print the file with overlays and variables applied, short forms written out.

    The output is a valid file itself. The cluster is not asked, so this is also the quickest check
    of a file: everything that is wrong with it is shown, with exit code 2. Values of variables are
    printed as they are, secrets too.
    """
    ctx.obj = common
    if ctx.invoked_subcommand is not None:
        return
    from tpconfig.cli import render
    from tpconfig.config import show

    try:
        loaded = _load(common)
        if origins:
            text = _origins(loaded, as_json=common.json)
        else:
            text = _value(show.written(loaded), as_json=common.json)
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    render.write(text)


@command.command("get", short_help="Print one value.")
@click.argument("path")
@common_options
def get(path: str, common: Common) -> None:
    """Print the value at PATH (workloads.web.expose[0]), defaults filled in.

    A single value is printed bare, for scripts; nothing for one that is not set.
    """
    from tpconfig.cli import render
    from tpconfig.config import show

    try:
        value = show.at(_load(common), path)
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    if common.json or isinstance(value, dict | list | bool):
        render.write(_value(value, as_json=common.json))
    else:
        render.write("" if value is None else str(value))


@command.command("set", short_help="Set one value in the file, and keep its comments.")
@click.argument("path")
@click.argument("value")
@common_options
def set_(path: str, value: str, common: Common) -> None:
    """Set the value at PATH (workloads.web.expose[0]) to VALUE, which is YAML on one line.

    The file is the first one that is found, or the one that -f names. Only the text of this value
    changes; what is not there yet is added, an item behind a list's last one too. Where the file
    would not be valid any more, it is left as it is.
    """
    from tpconfig.cli import render
    from tpconfig.config import saving

    try:
        winner = saving.set_value(common.files, path, value, cwd=Path.cwd(), environ=os.environ)
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    if winner is not None:
        render.write(f"note: set, but {winner} lies over it", sys.stderr)


@command.command("schema", short_help="Print the file's JSON Schema.")
def schema() -> None:
    """Print the JSON Schema of telepresence.yaml (draft 2020-12), for editors."""
    from tpconfig.cli import render
    from tpconfig.config import jsonschema

    render.write(jsonschema.text().rstrip("\n"))


def _load(common: Common) -> Loaded:
    """Load the files and show the notes about them."""
    from tpconfig.config.load import load

    loaded = load(common.files, cwd=Path.cwd(), environ=os.environ)
    notes.show(loaded.notes, as_json=common.json)
    return loaded


def _value(value: Any, *, as_json: bool) -> str:
    from tpconfig.config import show

    if as_json:
        return json.dumps(value, indent=2, ensure_ascii=False)
    return show.as_yaml(value).removesuffix("\n").removesuffix("\n...")


def _origins(loaded: Loaded, *, as_json: bool) -> str:
    from tpconfig.config import show

    found = list(show.origins(loaded))
    if as_json:
        rows = [
            {"path": path, "value": value, "origin": str(source) if source else None}
            for path, value, source in found
        ]
        return json.dumps(rows, indent=2, ensure_ascii=False)
    lines = [(f"{path} = {json.dumps(v, ensure_ascii=False)}", place) for path, v, place in found]
    width = max(len(text) for text, _ in lines)
    return "\n".join(f"{text:<{width}}  # {place}" for text, place in lines)
