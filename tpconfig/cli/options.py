"""Options that every command has; they may stand before or after its name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import click

from tpconfig import log
from tpconfig.cli import completing


@dataclass(frozen=True, slots=True)
class Common:
    """What every command is told."""

    files: tuple[str, ...] = ()
    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    meant: str | None = None
    bastion: str | None = None

    @property
    def loudness(self) -> int:
        """How much is said: -1 only what matters, 0 as usual, 1 and 2 more."""
        return -1 if self.quiet else self.verbose

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

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _file_option(*names: str) -> Decorator:
    return click.option(
        *names,
        "files",
        multiple=True,
        metavar="FILE",
        type=click.Path(allow_dash=True),
        help="The file (repeatable, later wins); else telepresence.yaml here or above.",
    )


_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--context",
        metavar="NAME",
        help="The kubeconfig's context.",
        shell_complete=completing.contexts,
    ),
    click.option("--kubeconfig", metavar="PATH", help="The kubeconfig; else $KUBECONFIG."),
    click.option(
        "--bastion",
        metavar="HOST",
        envvar="TP_BASTION",
        help="The API server's SSH jump host, [USER@]HOST[:PORT]; `none`: not the file's either.",
    ),
    click.option(
        "-n", "--namespace", metavar="NAME", help="For targets that the file gives no namespace."
    ),
    click.option("--json", is_flag=True, help="For programs: JSON, errors too."),
    click.option("-v", "--verbose", count=True, help="Say more; twice: also every request."),
    click.option(
        "-q", "--quiet", is_flag=True, help="Say only what went wrong, and what processes write."
    ),
    click.option(
        "--yes-i-mean", "meant", metavar="CONTEXT", help="Allow a context of cluster.protected."
    ),
)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options, as one parameter ``common``."""
    return _with((_file_option("-f", "--file"), *_OPTIONS), function)


def common_options_without_f(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options, but leave ``-f`` to it; ``--file`` names the file."""
    return _with((_file_option("--file"), *_OPTIONS), function)


def _with(options: Sequence[Decorator], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **values: Any) -> Any:
        own = Common(**{field.name: values.pop(field.name) for field in fields(Common)})
        context = click.get_current_context()
        above = context.parent.obj if context.parent and context.parent.obj else Common()
        common = own.over(above)
        context.meta[_JSON] = common.json
        if common.quiet and common.verbose:
            raise click.UsageError("--quiet and --verbose: one of them", context)
        if common.verbose:
            log.to_terminal(common.verbose)
        return function(*args, common=common, **values)

    given: Callable[..., Any] = wrapped
    for option in reversed(options):
        given = option(given)
    return given


def wants_color(stream_is_terminal: bool) -> bool:
    """Tell whether to write colours: on a terminal, unless ``NO_COLOR`` says no."""
    return stream_is_terminal and not os.environ.get("NO_COLOR")


def wants_json() -> bool:
    """Tell whether the running command was asked for JSON."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_JSON))
