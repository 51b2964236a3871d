"""Whether git would commit a file: secrets in it would be everybody's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class GitFindings:
    """Paths that git tracks, and paths that it would add because nothing ignores them."""

    tracked: tuple[str, ...] = ()
    visible: tuple[str, ...] = ()


def look(paths: Iterable[str]) -> GitFindings:
    """Ask git about files, which need not exist.

    Without git, and outside of a work tree, nothing is found.
    """
    tracked, visible = [], []
    for path in paths:
        place = _existing(Path(os.path.realpath(path)).parent)
        if _git(place, "--literal-pathspecs", "ls-files", "--error-unmatch", "--", path) == 0:
            tracked.append(path)
        elif _git(place, "check-ignore", "--quiet", "--", path) == 1:
            visible.append(path)
    return GitFindings(tuple(tracked), tuple(visible))


def _existing(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _git(folder: Path, *arguments: str) -> int | None:
    command = ["git", "-C", str(folder), *arguments]
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode
