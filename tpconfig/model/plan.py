"""A plan: ordered actions, what a person should know, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from tpconfig.errors import Problem
from tpconfig.model.actions import Action
from tpconfig.source import Source


class Fault(Enum):
    """Whose move it is before the plan can be applied."""

    USAGE = "usage"
    PERMISSION = "permission"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Blocker:
    """A reason for which nothing of the plan may be applied."""

    fault: Fault
    problem: Problem


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know before they agree; nothing has to be done."""

    text: str
    source: Source | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """``actions`` stand in an order in which they could be carried out one by one."""

    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    blockers: tuple[Blocker, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether wish and world are equal."""
        return not self.actions
