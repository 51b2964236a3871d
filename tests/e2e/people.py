"""Who runs ``tp``: whoever runs the tests, or an ordinary user of the machine."""

from __future__ import annotations

import functools
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 65534

_OPEN = """
mount -t tmpfs tmpfs /mnt
number=0
for path in {needed}; do
  number=$((number + 1)); mkdir /mnt/$number; mount --bind "$path" /mnt/$number
done
for path in {closed}; do mount -t tmpfs -o mode=755 tmpfs "$path"; done
number=0
for path in {needed}; do
  number=$((number + 1)); mkdir -p "$path"; mount --bind /mnt/$number "$path"
done
umount --lazy /mnt
exec "$@"
"""
"""A view of the machine in which everybody gets to what ``tp`` is made of, and to no more."""


@dataclass(frozen=True)
class Person:
    """Somebody on this machine; without a uid, whoever runs the tests."""

    uid: int | None = None
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        """Give the person a file or folder."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def environment(self) -> dict[str, str]:
        """Return what a login as this person would set."""
        if self.uid is None:
            return {}
        name = pwd.getpwuid(self.uid).pw_name
        return {"HOME": "/nonexistent", "USER": name, "LOGNAME": name, "SHELL": "/bin/sh"}


@functools.cache
def ordinary() -> Person:
    """Return an ordinary user: no root, no sudo, no group of ours."""
    if os.geteuid() != 0:
        return Person()
    uid = str(ORDINARY)
    become = ("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--inh-caps", "-all")
    if _runs(become):
        return Person(ORDINARY, become)
    needed = _outermost({ROOT, Path(sys.prefix), Path(sys.base_prefix)})
    closed = _outermost({found for path in needed for found in _closed_ancestors(path)})
    script = _OPEN.format(needed=_words(needed), closed=_words(closed))
    opened = ("unshare", "--mount", "sh", "-ec", script, "sh", *become)
    assert _runs(opened), f"an ordinary user cannot run {sys.executable}"
    return Person(ORDINARY, opened)


def _runs(prefix: tuple[str, ...]) -> bool:
    """Tell whether our Python can be started, again from itself, and finds everything."""
    code = "import subprocess, sys, tpconfig.session.up; subprocess.run([sys.executable, '-V'])"
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _closed_ancestors(path: Path) -> list[Path]:
    return [one for one in path.parents if not one.stat().st_mode & 0o001]


def _outermost(paths: set[Path]) -> list[Path]:
    return sorted(one for one in paths if not any(above in paths for above in one.parents))


def _words(paths: list[Path]) -> str:
    return " ".join(f"'{path}'" for path in paths)
