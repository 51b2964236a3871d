"""Options that every command has; they may stand before or after its name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import click

from tpconfig import log


@dataclass(frozen=True, slots=True)
class Common:
    """What every command is told."""

    files: tuple[str, ...] = ()
    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    json: bool = False
    verbose: int = 0
    meant: str | None = None

    def over(self, other: Common) -> Common:
        """Return these options, and the other's where these say nothing."""
        said = {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) not in ((), None, False, 0)
        }
        return replace(other, **said)


_JSON = f"{__name__}.json"
"""Where a context keeps whether errors are for programs."""

_OPTIONS = (
    click.option(
        "-f",
        "--file",
        "files",
        multiple=True,
        metavar="FILE",
        help="The file (repeatable, later wins); else telepresence.yaml here or above.",
    ),
    click.option("--context", metavar="NAME", help="The kubeconfig's context."),
    click.option("--kubeconfig", metavar="PATH", help="The kubeconfig; else $KUBECONFIG."),
    click.option(
        "-n", "--namespace", metavar="NAME", help="For targets that the file gives no namespace."
    ),
    click.option("--json", is_flag=True, help="For programs: JSON, errors too."),
    click.option("-v", "--verbose", count=True, help="Say more; twice: also every request."),
    click.option(
        "--yes-i-mean", "meant", metavar="CONTEXT", help="Allow a context of cluster.protected."
    ),
)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options, as one parameter ``common``."""

    @functools.wraps(function)
    def wrapped(*args: Any, **values: Any) -> Any:
        own = Common(**{field.name: values.pop(field.name) for field in fields(Common)})
        context = click.get_current_context()
        above = context.parent.obj if context.parent and context.parent.obj else Common()
        common = own.over(above)
        context.meta[_JSON] = common.json
        if common.verbose:
            log.to_terminal(common.verbose)
        return function(*args, common=common, **values)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def wants_color(stream_is_terminal: bool) -> bool:
    """Tell whether to write colours: on a terminal, unless ``NO_COLOR`` says no."""
    return stream_is_terminal and not os.environ.get("NO_COLOR")


def wants_json() -> bool:
    """Tell whether the running command was asked for JSON."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_JSON))
