"""From the common options to where a wish is read from."""

from __future__ import annotations

import os

from tpconfig.cli.options import Common
from tpconfig.session.wish import STDIN, Reload


def reload_of(
    common: Common,
    names: tuple[str, ...] = (),
    *,
    profiles: tuple[str, ...] = (),
    now: bool = False,
) -> Reload:
    """Return where the wish is to be read from."""
    folder = os.getcwd()
    return Reload(
        files=tuple(name if name == STDIN else os.path.join(folder, name) for name in common.files),
        folder=folder,
        names=names,
        profiles=profiles,
        context=common.context,
        kubeconfig=common.kubeconfig,
        namespace=common.namespace,
        meant=common.meant,
        bastion=common.bastion,
        now=now,
    )
