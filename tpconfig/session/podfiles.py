"""One workload's files: what comes of the Pod's, where it is, and where the process sees it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tpconfig.local import mounting, sshfs, volumes
from tpconfig.local.copies import CopiedVolumes
from tpconfig.local.diagnosis import Diagnosis
from tpconfig.local.inside.places import Bind
from tpconfig.local.volumes import Choice, Decision, PodMount, Volume
from tpconfig.model.desired import Run, VolumesWish
from tpconfig.session.hold import Held, hold
from tpconfig.tunnel.control import Description
from tpconfig.tunnel.files import open_copies
from tpconfig.tunnel.link import Link
from tpconfig.tunnel.sftp import open_sftp

_SYSTEM: Final = (
    *("/", "/bin", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run"),
    *("/sbin", "/sys", "/tmp", "/usr", "/var"),
)
_SHARED: Final = ("/dev/shm", "/tmp", "/var/tmp")


@dataclass(slots=True)
class PodFiles:
    """The files of one workload; ``folder`` is where they are kept on this machine."""

    group: asyncio.TaskGroup
    folder: Path
    remark: Callable[[str], None]
    decision: Decision = field(default_factory=Decision)
    _made_from: object = None
    _taker: CopiedVolumes | None = None
    _copies: Held[None] | None = None
    _mounts: list[Held[asyncio.Event]] = field(default_factory=list)

    @property
    def root(self) -> str | None:
        """The folder in which the Pod's files are, at their own paths below it."""
        return str(self.folder / "root") if self._made_from is not None else None

    @property
    def shown(self) -> tuple[str, ...]:
        """The volumes' paths in the Pod."""
        return tuple(one.shown for one in self.decision.volumes)

    @property
    def lost(self) -> bool:
        """Whether a mount has ended with what was behind it."""
        return any(held.value.is_set() for held in self._mounts)

    def stay(self, link: Link, pod: Description, wish: VolumesWish) -> bool:
        """Tell whether what is here would be had from there again."""
        return self._made_from in ((link, pod.mounts, wish), None) and not self.lost

    async def open(
        self, link: Link, pod: Description, wish: VolumesWish, spec_paths: Collection[str]
    ) -> list[str]:
        """Have the Pod's volumes here as the file wishes; return what has to be said about it.

        Raises:
            TpError: they cannot be had.
        """
        made_from = (link, pod.mounts, wish)
        if self._made_from is not None and self.stay(link, pod, wish):
            return [*self.decision.remarks]
        await self.close()
        if wish.mode == "none":
            return []
        no_server = None if pod.sftp else "the agent's image has no sftp-server"
        decision = volumes.decide(
            [PodMount(one.path, one.folder, one.read_only, one.atomic) for one in pod.mounts],
            Choice(wish.mode, wish.paths, wish.local, wish.read_only),
            spec_paths=spec_paths,
            mount_problem=no_server or _said(sshfs.problem()),
        )
        self._made_from, self.decision = made_from, decision
        root = self.folder / "root"
        await asyncio.to_thread(mounting.remove_tree, self.folder)
        root.mkdir(mode=0o700, parents=True)
        self._taker = CopiedVolumes(root)
        await self._copy(link)
        for volume in decision.volumes:
            if volume.how == "mount":
                self._mounts.append(await hold(self.group, self._mount(link, volume)))
        _link_var_run(root, decision)
        return [*decision.remarks, *self._said_of_copies()]

    async def attach(self, link: Link) -> None:
        """Go on with the copies on another link, to another Pod of the same kind."""
        if self._made_from is not None:
            await self._close_copies()
            await self._copy(link)

    async def close(self) -> None:
        """Take everything away again."""
        await self._close_copies()
        mounts, self._mounts = self._mounts, []
        for held in mounts:
            await held.close()
        if self._made_from is not None:
            await asyncio.to_thread(mounting.remove_tree, self.folder)
        self._made_from, self.decision = None, Decision()

    def binds(self, home: str, run: Run | None) -> tuple[list[Bind], list[str]]:
        """Return what a process can see at the Pod's own paths, and why it cannot see the rest.

        No volume may hide the user's home, the project, or our own folder.
        """
        precious = _precious(os.getcwd(), home, str(self.folder), run.cwd if run else "")
        assert self._taker is not None or not self.decision.volumes
        binds, remarks = [], []
        for one in self.decision.volumes:
            source = self.folder / "root" / one.path.lstrip("/")
            if one.how == "copy" and not source.exists():
                continue
            hidden = volumes.hidden_by(os.path.realpath(one.shown), [*_SYSTEM, *precious])
            room = volumes.needs_room_in(one.shown)
            if hidden is not None:
                remarks.append(f"{one.shown} only under $TP_ROOT: it would hide {hidden}")
            elif room and volumes.is_in(room, [*_SHARED, *precious]):
                remarks.append(f"{one.shown} only under $TP_ROOT: there is no such path in {room}")
            else:
                binds.append(Bind(str(source), one.shown, one.read_only))
        return binds, remarks

    async def _copy(self, link: Link) -> None:
        paths = [one.path for one in self.decision.volumes if one.how == "copy"]
        if paths and self._taker is not None:
            block = open_copies(
                link, paths, self._taker, limit=self.decision.limit, on_problem=self.remark
            )
            self._copies = await hold(self.group, block)

    async def _close_copies(self) -> None:
        copies, self._copies = self._copies, None
        if copies is not None:
            await copies.close()
        if self._taker is not None:
            self._taker.close()

    @asynccontextmanager
    async def _mount(self, link: Link, volume: Volume) -> AsyncIterator[asyncio.Event]:
        point = self.folder / "root" / volume.path.lstrip("/")
        async with (
            open_sftp(link) as (sock, over),
            sshfs.open_sshfs(sock, volume.path, point, read_only=volume.read_only),
        ):
            yield over

    def _said_of_copies(self) -> list[str]:
        said = []
        taken: dict[str, Any] = dict(self._taker.volumes) if self._taker else {}
        for path, copied in taken.items():
            if copied.over is not None:
                size = f"{copied.over / (1 << 20):.0f} MiB"
                said.append(f"{path} left out: its {size} are too much to copy (volumes: mount)")
            if copied.skipped:
                more = f" and {len(copied.skipped) - 3} more" if len(copied.skipped) > 3 else ""
                names = ", ".join(copied.skipped[:3])
                said.append(f"{path}: the agent may not read {names}{more}")
        return said


def _said(problem: Diagnosis | None) -> str | None:
    return f"{problem.reason} ({problem.cure})" if problem else None


def _precious(*folders: str) -> list[str]:
    return [path for one in folders if one and (path := os.path.realpath(one)) != "/"]


def _link_var_run(root: Path, decision: Decision) -> None:
    """Have what the spec writes as ``/var/run/...`` under that path, too."""
    if any(one.shown != one.path for one in decision.volumes):
        var = root / "var"
        var.mkdir(mode=0o700, exist_ok=True)
        if not (var / "run").exists():
            (var / "run").symlink_to("../run")
