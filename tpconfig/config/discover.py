"""Which files a command reads: found like compose finds its own.

``-f FILE`` (several times, the later wins) or the first of our names here or in a parent, with the
override file beside it, so that a team commits one file and each person keeps a second one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tpconfig.config import codes
from tpconfig.errors import ConfigError, Problem
from tpconfig.suggest import nearest

FILE_NAMES: Final = ("telepresence.yaml", "telepresence.yml", "tp.yaml")
OVERRIDE_NAMES: Final = ("telepresence.override.yaml", "telepresence.override.yml")
STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Found:
    """The files in the order in which they are laid over each other.

    ``folder`` is the project folder, the first file's: paths in all files are relative to it.
    """

    paths: tuple[Path, ...]
    folder: Path
    notes: tuple[Problem, ...] = ()


def discover(named: Sequence[str | Path], *, cwd: Path) -> Found:
    """Return the named files, or those that are found from ``cwd`` upwards.

    Raises:
        ConfigError: there is none, or a named one does not exist.
    """
    cwd = cwd.absolute()
    if named:
        return _named(named, cwd)
    for folder in (cwd, *cwd.parents):
        present = [folder / name for name in FILE_NAMES if _is_file(folder / name)]
        if present:
            overrides = [folder / name for name in OVERRIDE_NAMES if _is_file(folder / name)]
            notes = (*_several(present), *_several(overrides))
            return Found((present[0], *overrides[:1]), folder, notes)
    problem = Problem(
        codes.NO_FILE,
        f"there is no {FILE_NAMES[0]} in {cwd} or in a folder above",
        hint=_instead(cwd),
    )
    raise ConfigError([problem])


def shown(path: Path, *, cwd: Path) -> str:
    """Return a file's name for messages: short, and right where the command was typed."""
    try:
        return str(path.relative_to(cwd.absolute()))
    except ValueError:
        return str(path)


def _named(named: Sequence[str | Path], cwd: Path) -> Found:
    problems: list[Problem] = []
    paths: list[Path] = []
    for name in named:
        path = cwd / name
        if str(name) != STDIN and not path.exists():
            problems.append(absent(str(name), path))
        paths.append(Path(STDIN) if str(name) == STDIN else path)
    if paths.count(Path(STDIN)) > 1:
        problems.append(Problem(codes.NO_FILE, "standard input can be read once: one `-f -`"))
    if problems:
        raise ConfigError(problems)
    folder = cwd if paths[0] == Path(STDIN) else Path(os.path.abspath(paths[0])).parent
    return Found(tuple(paths), folder)


def absent(name: str, path: Path) -> Problem:
    """Say that a named file is not there, with the nearest one that is."""
    try:
        beside = [
            entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml")
        ]
    except OSError:
        message = f"there is no folder {path.parent}"
        return Problem(codes.NO_FILE, f"cannot read {name}: {message}")
    guess = nearest(path.name, sorted(beside))
    hint = f"did you mean {Path(name).with_name(guess)}?" if guess else None
    return Problem(codes.NO_FILE, f"there is no file {name}", hint=hint)


def _several(present: list[Path]) -> tuple[Problem, ...]:
    if len(present) < 2:
        return ()
    others = " and ".join(path.name for path in present[1:])
    message = f"{present[0].name} is read; {others} beside it is not"
    return (Problem(codes.SEVERAL_FILES, message, hint="remove one, or name one with -f"),)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _instead(cwd: Path) -> str:
    """Say what to do without a file; the nearest name is likely a slip."""
    try:
        beside = sorted(entry.name for entry in cwd.iterdir() if entry.suffix in (".yaml", ".yml"))
    except OSError:
        beside = []
    guess = nearest(FILE_NAMES[0], beside)
    if guess:
        return f"did you mean {guess}? name it with -f {guess}"
    return "write one, or name it with -f FILE"
