"""What ``tp restart``, ``tp stop`` and ``tp start`` have in common: they ask the session."""

from __future__ import annotations

import json
import os

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common
from tpconfig.cli.wish import reload_of


def change(what: str, names: tuple[str, ...], common: Common, *, past: str, nothing: str) -> None:
    """Ask for it, and say which workloads' processes it was done to."""
    from tpconfig.cli import render
    from tpconfig.session import asking

    request = {"do": what, "workloads": [*names]}
    try:
        answer = edge.run(asking.ask(reload_of(common), os.environ, request))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    if common.json:
        render.write(json.dumps({what: answer["done"]}))
        return
    lines = [f"{name}: {past}" for name in answer["done"]]
    render.write("\n".join(lines) or nothing)
