"""Writes a workload's environment to the files that its exports name, and takes old ones away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tpconfig.local import exports
from tpconfig.local.leftovers import Leftovers
from tpconfig.model.desired import Workload


def write(
    leftovers: Leftovers, workload: Workload, env: Mapping[str, str], root: str | None
) -> list[str]:
    """Have exactly the files that a workload asks for; return what has to be said about it.

    ``root`` is the folder of the Pod's files, which ``volumes.at`` is a link to.

    Raises:
        TpError: one cannot be written.
    """
    at = workload.volumes.at if root is not None else None
    paths = [export.path for export in workload.env.exports]
    said = leftovers.retire(workload.name, but=(*paths, at) if at else tuple(paths))
    if at is not None and root is not None:
        leftovers.link(workload.name, at, Path(root))
    for export in workload.env.exports:
        rendered = exports.render(env, export.format)
        leftovers.export(workload.name, export.path, rendered.content, keep=export.keep)
        if rendered.inexpressible:
            left_out = ", ".join(rendered.inexpressible)
            said.append(f"{export.path}: {export.format} cannot hold {left_out}")
    return said
