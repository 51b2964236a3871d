"""What a command asks for, read from the file and the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from tpconfig.errors import UsageError
from tpconfig.model.desired import Bastion, Desired, SessionWish

_BASTION: Final = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.][A-Za-z0-9_.-]*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)


STDIN: Final = "-"
"""The file that is read from standard input."""


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """Which cluster, by kubeconfig and context; ``None`` is what kubectl would take."""

    context: str | None = None
    kubeconfig: str | None = None
    protected: tuple[str, ...] = ()
    meant: str | None = None
    bastion: Bastion | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A whole request: the session, what it wants, and where.

    ``namespace`` of ``None`` is the context's; targets without one are resolved then. ``paths``
    are the files that it depends on, there or not.
    """

    session: SessionWish
    desired: Desired
    cluster: ClusterChoice
    namespace: str | None
    environ: Mapping[str, str]
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Reload:
    """Where a wish was read from, so that it can be read again."""

    files: tuple[str, ...]
    folder: str
    names: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    meant: str | None = None
    now: bool = False
    on_conflict: str | None = None
    bastion: str | None = None

    def cluster(self) -> ClusterChoice:
        """Return the cluster that the command line alone names.

        Raises:
            UsageError: ``--bastion`` names no machine.
        """
        return ClusterChoice(
            self.context, self.kubeconfig, meant=self.meant, bastion=self.over(None)
        )

    def over(self, bastion: Bastion | None) -> Bastion | None:
        """Return the jump host of ``--bastion``, else the file's.

        Raises:
            UsageError: it names no machine.
        """
        if self.bastion is None:
            return bastion
        if self.bastion == "none":
            return None
        match = _BASTION.fullmatch(self.bastion)
        if match is None:
            raise UsageError(
                f"--bastion {self.bastion}: this names no machine",
                hint="write [USER@]HOST[:PORT], for example anna@jump.example.com, or `none`",
            )
        port = int(match["port"]) if match["port"] else None
        return Bastion(match["host"].strip("[]"), port, match["user"])

    def to_json(self) -> dict[str, Any]:
        """Write it as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Reload:
        """Read what ``to_json`` wrote, among other keys."""
        known = {field.name: given[field.name] for field in fields(cls) if field.name in given}
        lists = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **lists})
