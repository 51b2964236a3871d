"""From the command line's words to a wish: find the file, read it, resolve it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tpconfig.config import load as config
from tpconfig.config import resolve, unsupported
from tpconfig.errors import ConfigError, Problem
from tpconfig.model.desired import Desired, SessionWish
from tpconfig.session.wish import ClusterChoice, Reload, Wish


def load(
    reload: Reload,
    environ: Mapping[str, str],
    *,
    noted: list[Problem] | None = None,
    seen: list[Path] | None = None,
) -> Wish:
    """Read the file that a command is about.

    Args:
        reload: which files, from which folder, and what the command line adds.
        environ: for interpolation and ``TP_IMAGE``.
        noted: is given what the file should be told but is no error.
        seen: is given every file that was read or wanted, also when this fails.

    Raises:
        ConfigError: it is missing, broken, or asks for what this version cannot do.
    """
    loaded = config.load([*reload.files], cwd=Path(reload.folder), environ=environ, seen=seen)
    if problems := unsupported.check(loaded):
        raise ConfigError(problems)
    if noted is not None:
        noted.extend(loaded.notes)
    choice_of = resolve.Choice(reload.names, reload.profiles, reload.on_conflict)
    found = resolve.resolve(loaded, choice_of, environ=environ, now=reload.now)
    choice = ClusterChoice(
        context=reload.context or found.context,
        kubeconfig=reload.kubeconfig,
        protected=found.protected,
        meant=reload.meant,
        bastion=reload.over(found.bastion),
    )
    namespace = reload.namespace or found.namespace
    return Wish(found.session, found.desired, choice, namespace, environ, loaded.watched)


def without_file(reload: Reload, environ: Mapping[str, str]) -> Wish:
    """Return the empty wish of a command that needs no file."""
    name = Path(reload.folder).name
    session = SessionWish(name, image=resolve.default_image(environ))
    return Wish(session, Desired(), reload.cluster(), reload.namespace, environ)
