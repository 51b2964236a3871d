"""Where ``tp`` keeps what must outlive one of its processes: sockets, logs, files of a session."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tpconfig.errors import TpError, UsageError

_SESSION: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")

MAX_SOCKET_PATH: Final = 107
"""Bytes in a Unix socket's path, without its terminating NUL (unix(7))."""


@dataclass(frozen=True, slots=True)
class SessionPaths:
    """Where one session's things are."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The Unix socket on which the session answers other commands."""
        return self.folder / "control.sock"

    @property
    def log(self) -> Path:
        """What a detached session writes instead of the terminal."""
        return self.folder / "log"

    @property
    def own_log(self) -> Path:
        """What ``tp`` did, as JSON lines."""
        return self.folder / "tp.jsonl"

    @property
    def outputs(self) -> Path:
        """What the processes wrote."""
        return self.folder / "outputs"

    @property
    def record(self) -> Path:
        """What has to be tidied up should the session be killed, as JSON."""
        return self.folder / "session.json"

    @property
    def files(self) -> Path:
        """Snapshots and mount points of the Pods' files."""
        return self.folder / "files"


def folder(environment: Mapping[str, str]) -> Path:
    """Return where the state folder is to be; ``$TP_STATE_DIR`` moves it."""
    if chosen := environment.get("TP_STATE_DIR"):
        return Path(chosen).expanduser().absolute()
    base = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):  # the XDG specification: relative paths are ignored
        home = environment.get("HOME") or str(Path("~").expanduser())
        base = os.path.join(home, ".local", "state")
    return Path(base) / "tp"


def prepare(place: Path) -> Path:
    """Make the state folder, for its owner alone, and return it.

    Raises:
        TpError: it cannot be made, or belongs to somebody else.
    """
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = place.stat()
        if status.st_uid != os.geteuid():
            raise UsageError(
                f"the state folder {place} belongs to another user",
                hint="set TP_STATE_DIR to a folder of your own",
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            place.chmod(0o700)
    except OSError as error:
        raise TpError(
            f"cannot use the state folder {place}: {error.strerror}",
            hint="set TP_STATE_DIR to a folder that you may write to",
        ) from error
    return place


def session(state_dir: Path, session_id: str) -> SessionPaths:
    """Return a session's paths; nothing is created."""
    if not _SESSION.fullmatch(session_id):
        raise ValueError(f"not a session's id: {session_id!r}")
    return SessionPaths(state_dir / "sessions" / session_id)


def open_session(state_dir: Path, session_id: str) -> SessionPaths:
    """Make a session's folder, for its owner alone, and return its paths.

    Raises:
        UsageError: the socket's path is longer than the kernel takes.
    """
    paths = session(state_dir, session_id)
    if len(os.fsencode(paths.socket)) > MAX_SOCKET_PATH:
        raise UsageError(
            f"the path of the session's socket is too long: {paths.socket}",
            hint="set TP_STATE_DIR to a folder with a shorter path",
        )
    prepare(paths.folder.parent)
    prepare(paths.folder)
    return paths


def sessions(state_dir: Path) -> tuple[str, ...]:
    """Return the ids of the sessions that have a folder here, sorted."""
    try:
        names = os.listdir(state_dir / "sessions")
    except FileNotFoundError:
        return ()
    return tuple(sorted(name for name in names if _SESSION.fullmatch(name)))
