"""Which of a Pod's volumes come here, how, and where a process finds them. Pure."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from tpconfig.errors import UsageError

How = Literal["copy", "mount"]

COPY_LIMIT: Final = 1 << 30
"""Bytes of one volume that `copy` takes."""

FALLBACK_LIMIT: Final = 64 << 20
"""The same where `mount` was meant and cannot be: nobody has asked for all of a database."""

TOKEN: Final = "/run/secrets/kubernetes.io/serviceaccount"
"""Where the kernel shows what Kubernetes mounts at ``/var/run/...``."""


@dataclass(frozen=True, slots=True)
class PodMount:
    """A volume as the Pod's container has it; ``atomic``: a ConfigMap, a Secret, a token."""

    path: str
    folder: bool = True
    read_only: bool = False
    atomic: bool = False

    @property
    def live(self) -> bool:
        """Whether others may write to it while it is read; only folders can be mounted."""
        return self.folder and not self.atomic


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume that comes here; ``shown`` is its path as the Pod's spec writes it."""

    path: str
    shown: str
    how: How
    read_only: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What the file asks for: see ``volumes`` there."""

    mode: str = "mount"
    paths: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, and what has to be said about it."""

    volumes: tuple[Volume, ...] = ()
    limit: int = COPY_LIMIT
    remarks: tuple[str, ...] = ()


def decide(
    mounts: Sequence[PodMount],
    choice: Choice,
    *,
    spec_paths: Collection[str] = (),
    mount_problem: str | None = None,
) -> Decision:
    """Decide how each volume comes here.

    Args:
        mounts: of the Pod, as the agent sees them.
        choice: the file's.
        spec_paths: the container's mount paths, as its spec writes them.
        mount_problem: why nothing can be mounted here, if so.

    Raises:
        UsageError: the file names a path at which the Pod has no volume.
    """
    if choice.mode == "none":
        return Decision()
    wanted = [one for one in _chosen(mounts, choice.paths) if not _taken_here(one.path, choice)]
    if choice.mode == "mount" and mount_problem is None:
        wanted = _without_inner(wanted)
    live = [one for one in wanted if one.live]
    falls_back = choice.mode == "mount" and mount_problem is not None and bool(live)
    volumes = tuple(
        Volume(
            path=one.path,
            shown=_shown(one.path, spec_paths),
            how="mount" if choice.mode == "mount" and one.live and not falls_back else "copy",
            read_only=one.read_only or choice.read_only,
        )
        for one in wanted
    )
    if not falls_back:
        return Decision(volumes)
    names = ", ".join(_shown(one.path, spec_paths) for one in live)
    remark = f"{names}: copied, not mounted, because {mount_problem}"
    return Decision(volumes, FALLBACK_LIMIT, (remark,))


def hidden_by(target: str, precious: Collection[str]) -> str | None:
    """Return which of some folders a mount at ``target`` would hide, if any."""
    return next((one for one in precious if _is_at_or_below(one, target)), None)


def needs_room_in(target: str, *, root: str = "/") -> str | None:
    """Return the folder that has to be rebuilt to have ``target`` in it; None if it is there."""
    place = os.path.join(root, target.lstrip("/"))
    if os.path.lexists(place):
        return None
    folder = os.path.dirname(place)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return os.path.realpath(folder)


def is_in(folder: str, places: Collection[str]) -> bool:
    """Tell whether a folder is one of some places, or in one."""
    return any(_is_at_or_below(folder, one) for one in places)


def _chosen(mounts: Sequence[PodMount], paths: tuple[str, ...]) -> list[PodMount]:
    if not paths:
        return [*mounts]
    found: dict[str, PodMount] = {}
    for path in paths:
        seen = {one.path: one for one in mounts} | {"/var" + one.path: one for one in mounts}
        inside = [one for name, one in seen.items() if _is_at_or_below(name, path)]
        around = [name for name in seen if _is_at_or_below(path, name)]
        if inside:
            found |= {one.path: one for one in inside}
        elif around:
            found[path] = replace(seen[max(around, key=len)], path=path, atomic=False)
        else:
            there = ", ".join(sorted(one.path for one in mounts)) or "none"
            raise UsageError(
                f"the Pod has no volume at {path} (volumes.paths)", hint=f"it has: {there}"
            )
    return [*found.values()]


def _without_inner(mounts: list[PodMount]) -> list[PodMount]:
    """Leave out what is seen through a live mount around it."""
    live = [one.path for one in mounts if one.live]
    return [
        one
        for one in mounts
        if not any(one.path != path and _is_at_or_below(one.path, path) for path in live)
    ]


def _taken_here(path: str, choice: Choice) -> bool:
    return any(_is_at_or_below(name, one) for one in choice.local for name in (path, "/var" + path))


def _shown(path: str, spec_paths: Collection[str]) -> str:
    """Return the path that the spec has: the kernel resolves ``/var/run``."""
    linked = "/var" + path
    if path not in spec_paths and (linked in spec_paths or path == TOKEN):
        return linked
    return path


def _is_at_or_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
