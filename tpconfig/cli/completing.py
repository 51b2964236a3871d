"""What may stand where, for a shell's completion; whatever fails here completes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click


def workloads(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the file's workloads that are not named yet."""
    from tpconfig.config import load as config
    from tpconfig.errors import TpError

    given = ctx.params.get(param.name or "") or ()
    try:
        loaded = config.load(_files(ctx), cwd=Path.cwd(), environ=os.environ)
    except (TpError, OSError):
        return []
    names = set(loaded.file.workloads) - {*((given,) if isinstance(given, str) else given)}
    return _beginning(names, incomplete)


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the profiles of the file's workloads."""
    from tpconfig.config import load as config
    from tpconfig.errors import TpError

    try:
        loaded = config.load(_files(ctx), cwd=Path.cwd(), environ=os.environ)
    except (TpError, OSError):
        return []
    found = {name for one in loaded.file.workloads.values() for name in one.profiles or ()}
    return _beginning(found, incomplete)


def contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the kubeconfig's contexts."""
    from tpconfig.cluster.contexts import names
    from tpconfig.errors import TpError

    try:
        path = _said(ctx, "kubeconfig")
        found = names(path if isinstance(path, str) else None)
    except (TpError, OSError):
        return []
    return _beginning(found, incomplete)


def formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the formats of ``tp env``."""
    from tpconfig.local.exports import FORMATS

    return _beginning(FORMATS, incomplete)


def _files(ctx: click.Context) -> list[str]:
    found = _said(ctx, "files")
    return list(found) if isinstance(found, tuple) else []


def _said(ctx: click.Context, name: str) -> str | tuple[str, ...] | None:
    """Return what a common option was given, behind the command's name or before it."""
    for one in (ctx, ctx.parent):
        if one is not None and one.params.get(name):
            value: str | tuple[str, ...] = one.params[name]
            return value
    return None


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
