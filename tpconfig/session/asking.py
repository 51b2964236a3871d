"""Asks the running session of a file, without asking the cluster who one is.

The session's id holds the API user, so it is found by its name among those that live here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tpconfig.config import load as config
from tpconfig.errors import ConfigError, TpError
from tpconfig.local import state
from tpconfig.session import control
from tpconfig.session.wish import Reload

NOT_UP = "no session is up"


class NotUpError(TpError):
    """No session lives here, or none of that name."""


async def ask(
    reload: Reload, environ: Mapping[str, str], request: control.Message
) -> control.Message:
    """Ask the living session of the file; without a file, the only one that lives here.

    Raises:
        NotUpError: none lives.
        TpError: several could be meant.
    """
    name = _name(reload, environ)
    place = state.folder(environ)
    living: list[tuple[control.Message, str]] = []
    for one in state.sessions(place):
        status = await control.ask(state.session(place, one).socket, {"do": "status"})
        if status is not None and name in (None, status["name"]):
            living.append((status, one))
    if not living:
        of = f" of the name {name}" if name else ""
        raise NotUpError(f"{NOT_UP}{of}", hint="start one: tp up -d")
    if len(living) > 1:
        found = ", ".join(f"{status['name']} ({one})" for status, one in living)
        raise TpError(f"several sessions are up: {found}", hint="name the file with -f")
    answer = await control.ask(state.session(place, living[0][1]).socket, request)
    if answer is None:
        raise NotUpError("the session ended a moment ago", hint="start one: tp up -d")
    return answer


def _name(reload: Reload, environ: Mapping[str, str]) -> str | None:
    try:
        loaded = config.load([*reload.files], cwd=Path(reload.folder), environ=environ)
    except ConfigError:
        if reload.files:
            raise
        return None
    return loaded.file.name or loaded.folder.name
