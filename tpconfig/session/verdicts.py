"""A blocked plan as the error that a user reads; the worst fault gives the exit code."""

from __future__ import annotations

from tpconfig.errors import ConfigError, ConflictError, NoPermissionError, Problem, TpError
from tpconfig.model import codes
from tpconfig.model.plan import Fault, Plan


class BlockedError(ConfigError):
    """The plan cannot be applied; all reasons at once."""


class DeniedError(NoPermissionError):
    """Verbs are missing; all of them at once."""

    def __init__(self, problems: list[Problem]) -> None:
        more = len(problems) - 1
        asked = "ask for a Role with the verbs that `tp rbac` prints; nothing was changed"
        super().__init__(
            problems[0].message + (f", and {more} more" if more else ""),
            hint=problems[0].hint if problems[0].code == codes.JANITOR_DENIED else asked,
            details=[problem.message for problem in problems] if more else [],
        )
        self.code = problems[0].code


def raise_blockers(plan: Plan) -> None:
    """Raise what stands in the way of a plan, if anything does.

    Raises:
        BlockedError: the request is wrong (2).
        NoPermissionError: a verb is missing (6).
        ConflictError: another session holds a target (5).
    """
    by_fault: dict[Fault, list[Problem]] = {}
    for blocker in plan.blockers:
        by_fault.setdefault(blocker.fault, []).append(blocker.problem)
    if problems := by_fault.get(Fault.USAGE):
        raise BlockedError(problems)
    if problems := by_fault.get(Fault.PERMISSION):
        raise DeniedError(problems)
    if problems := by_fault.get(Fault.CONFLICT):
        raise _conflict(problems)


def _conflict(problems: list[Problem]) -> TpError:
    first = problems[0]
    details = [problem.label for problem in problems if problem.label]
    error = ConflictError(first.message, hint=first.hint, source=first.source, details=details)
    error.code = first.code
    return error
