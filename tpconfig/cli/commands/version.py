"""``tp version``."""

from __future__ import annotations

import json
import platform

import click

import tpconfig
from tpconfig.cli.options import Common, common_options


@click.command("version", short_help="Print the version.")
@common_options
def command(common: Common) -> None:
    """Print the version, and what it runs on."""
    said = {
        "tp": tpconfig.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    if common.json:
        click.echo(json.dumps(said))
    else:
        click.echo(f"tp {said['tp']}, Python {said['python']}, {said['system']}")
