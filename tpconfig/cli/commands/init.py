"""``tp init``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of

if TYPE_CHECKING:
    from tpconfig.session.beginning import Found


@click.command("init", short_help="Write a first file.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="KIND/NAME",
    help="A workload for the file (repeatable); else you are asked.",
)
@common_options
def command(targets: tuple[str, ...], common: Common) -> None:
    """Write a telepresence.yaml for workloads of a namespace, with comments, and its schema.

    The namespace is -n, else the context's; -f names another file. Ports are those that Services
    send traffic to. Nothing in the cluster is changed, and no file is overwritten.
    """
    from tpconfig.cli import render
    from tpconfig.config import jsonschema
    from tpconfig.config.convert import draft
    from tpconfig.session import beginning

    try:
        path = _place(common.files)
        found = edge.run(beginning.look(reload_of(common)))
        chosen = [beginning.choose(found, one) for one in targets or _ask(found)]
        text = beginning.text(found, list(dict.fromkeys(chosen)))
        draft.check(text)
        _write(path, text)
        schema = path.with_name(beginning.SCHEMA)
        if not schema.exists():
            _write(schema, jsonschema.text())
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    if common.json:
        render.write(json.dumps({"file": str(path), "targets": [one.written for one in chosen]}))
    render.write(f"{path} is written; next: tp plan", sys.stderr)


def _place(files: tuple[str, ...]) -> Path:
    """Return the file to write.

    Raises:
        UsageError: there is one already.
    """
    from tpconfig.config.discover import FILE_NAMES
    from tpconfig.errors import UsageError

    if len(files) > 1 or "-" in files:
        raise UsageError("tp init writes one file", hint="name it with one -f FILE")
    path = Path(files[0] if files else FILE_NAMES[0])
    for one in [path] if files else map(Path, FILE_NAMES):
        if one.exists() or one.is_symlink():
            raise UsageError(
                f"{one} is there already, and is not overwritten",
                hint="name another file with -f, or edit this one",
            )
    return path


def _ask(found: Found) -> list[str]:
    """Ask which workloads the file should be about.

    Raises:
        UsageError: there is nobody to ask, or nothing to choose from.
    """
    from tpconfig.errors import UsageError

    there = [str(one.target) for one in found.workloads]
    if not there:
        raise UsageError(
            f"namespace {found.namespace} of context {found.context} has no workload",
            hint="name another one with -n",
        )
    if _nobody_there():
        raise UsageError("nobody is there to ask", hint=f"--target, one of: {', '.join(there)}")
    click.echo(f"context {found.context}, namespace {found.namespace}:", err=True)
    for number, name in enumerate(there, 1):
        click.echo(f"{number:>4}  {name}", err=True)
    answer: str = click.prompt("Which, by number (several: 1,3)", default="1", err=True)
    numbers = [one.strip() for one in answer.split(",")]
    wrong = [one for one in numbers if not one.isdecimal() or not 0 < int(one) <= len(there)]
    if wrong:
        raise UsageError(f"there is no number {wrong[0]}", hint=f"1 to {len(there)}")
    return [there[int(one) - 1] for one in numbers]


def _nobody_there() -> bool:
    return not sys.stdin.isatty()


def _write(path: Path, text: str) -> None:
    from tpconfig.errors import TpError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise TpError(f"cannot write {path}: {error.strerror}") from error
