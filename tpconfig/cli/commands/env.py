"""``tp env``."""

from __future__ import annotations

import os

import click

from tpconfig.cli import completing
from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of


@click.command("env", short_help="Print a workload's environment.")
@click.argument("name", shell_complete=completing.workloads)
@click.option(
    "--format",
    "form",
    default="dotenv",
    show_default=True,
    metavar="FORMAT",
    shell_complete=completing.formats,
    help="dotenv, docker, compose, json, yaml, shell, fish, powershell, vscode, intellij.",
)
@click.option("--all", "everything", is_flag=True, help="With this machine's own variables.")
@common_options
def command(name: str, form: str, everything: bool, common: Common) -> None:
    """Print what the Pod and the file add to the environment, as the kubelet resolved it.

    For a running session: `eval "$(tp env web --format shell)"`.
    """
    import sys

    from tpconfig.errors import UsageError
    from tpconfig.local import exports
    from tpconfig.session import asking

    try:
        form = "json" if common.json else form
        if form not in exports.FORMATS:
            known = ", ".join(exports.FORMATS)
            raise UsageError(f"there is no format `{form}`", hint=f"there is: {known}")
        request = {"do": "env", "workload": name, "all": everything}
        answer = edge.run(asking.ask(reload_of(common), os.environ, request))
        rendered = exports.render(answer["env"], form)
        if rendered.inexpressible:
            left_out = ", ".join(rendered.inexpressible)
            print(f"note: {form} cannot hold {left_out}", file=sys.stderr)
        sys.stdout.buffer.write(rendered.content)
        sys.stdout.buffer.flush()
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
