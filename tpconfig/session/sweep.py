"""Takes away what killed sessions have left on this machine; every command does it first."""

from __future__ import annotations

from collections.abc import Mapping

from tpconfig.local import state


def sweep(environ: Mapping[str, str]) -> list[str]:
    """Remove the leftovers of sessions that nobody runs any more; return what was done.

    Never fails: what cannot be removed is said, and tried again by the next command.
    """
    place = state.folder(environ)
    said: list[str] = []
    for one in state.sessions(place):
        paths = state.session(place, one)
        if not (paths.record.exists() or paths.socket.exists() or paths.files.exists()):
            continue
        from tpconfig.local.leftovers import Leftovers
        from tpconfig.session.locks import only_one

        try:
            with only_one(paths.socket.with_name("lock")) as nobody_runs_it:
                if nobody_runs_it:
                    said += Leftovers(paths).clear()
        except OSError as error:
            said.append(f"{paths.folder} cannot be tidied up: {error.strerror}")
    return said
