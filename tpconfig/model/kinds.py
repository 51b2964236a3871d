"""What each kind of workload is to us: which fields stop it, and where its pod template lives."""

from __future__ import annotations

from typing import Final

from tpconfig import names
from tpconfig.model.target import Change, Target, Value

SWAPPABLE: Final = ("deployment", "replicaset", "statefulset", "daemonset", "cronjob")
"""The kinds that can be stopped and brought back."""

COUNTED: Final = frozenset({"deployment", "replicaset", "statefulset"})
"""Kinds with ``replicas``; the others run or they do not, which counts as 1 and 0."""

ADOPTING: Final = frozenset({"replicaset", "daemonset"})
"""Kinds that take every Pod for theirs that has their labels and no other controller."""

REPLICAS: Final = ("spec", "replicas")
WHEN_SCALED: Final = ("spec", "persistentVolumeClaimRetentionPolicy", "whenScaled")
NOWHERE: Final = ("spec", "template", "spec", "nodeSelector", names.LABEL_STOPPED)
SUSPEND: Final = ("spec", "suspend")

_TEMPLATES: Final = {"cronjob": ("spec", "jobTemplate", "spec", "template")}


def template_path(kind: str) -> tuple[str, ...]:
    """Return where a kind keeps its pod template."""
    return _TEMPLATES.get(kind, ("spec", "template"))


def stopping(
    target: Target, running: int, *, session: str, deletes_claims: bool = False
) -> tuple[Change, ...]:
    """Return the changes that stop a workload; what they change is what is recorded before.

    Args:
        target: the workload.
        running: its ``replicas``; of kinds without, 1 where it runs and 0 where not.
        session: who stops it.
        deletes_claims: a StatefulSet that would delete its claims' data when it is scaled down.
    """
    match target.kind:
        case "daemonset":
            before: Value = None if running else session
            return (Change(NOWHERE, before, session),)
        case "cronjob":
            return (Change(SUSPEND, not running, after=True),)
        case _:
            kept = (Change(WHEN_SCALED, "Delete", "Retain"),) if deletes_claims else ()
            return (Change(REPLICAS, running, 0), *kept)


def starting(
    target: Target, running: int, recorded: int, *, session: str, deletes_claims: bool = False
) -> tuple[Change, ...]:
    """Return what the way back changes; ``recorded`` is what ran when it was claimed."""
    match target.kind:
        case "daemonset":
            after: Value = None if recorded else session
            return (Change(NOWHERE, None if running else session, after),)
        case "cronjob":
            return (Change(SUSPEND, not running, not recorded),)
        case _:
            kept = (Change(WHEN_SCALED, "Retain", "Delete"),) if deletes_claims else ()
            return (Change(REPLICAS, running, recorded), *kept)
