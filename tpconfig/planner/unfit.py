"""What is no workload that could be stopped and brought back, and the nearest thing that is."""

from __future__ import annotations

from tpconfig.errors import Problem
from tpconfig.model import codes, kinds
from tpconfig.model.desired import Workload


def problem(workload: Workload, owner: str) -> Problem:
    """Refuse a Pod or Job, with the nearest thing that works."""
    target = workload.target
    if owner:
        text = f"{target} belongs to {owner}, which would make another one in its place"
        hint = f"write {owner}"
    elif target.kind == "pod":
        text = f"{target} is a bare Pod: it could be deleted, but not stopped and brought back"
        hint = "put its template into a Deployment with one replica, and name that"
    else:
        text = f"{target} is a Job: what it has done cannot be brought back"
        hint = "name the CronJob that makes such Jobs, or a Deployment with the same template"
    return Problem(codes.UNFIT_KIND, text, workload.target_source, hint=hint)


def instead(controller: str) -> str:
    """Say what to name in the place of something that ``controller`` owns."""
    kind, _, name = controller.partition("/")
    if kind.lower() in kinds.SWAPPABLE:
        return f"write {kind.lower()}/{name}"
    return "name a workload that no other object owns"
