"""Every way in which ``tp`` tells somebody that it cannot go on.

An error carries what is wrong, what to do about it and where it was asked for; its type says whose
fault it is, which is also the exit code. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from tpconfig.source import Source


class ExitCode(IntEnum):
    """What the process tells its caller; documented in docs/cli.md."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BUG = 3
    PENDING = 4
    CONFLICT = 5
    PERMISSION = 6
    UNREACHABLE = 7
    RUN_FAILED = 125
    INTERRUPTED = 130
    ABANDONED = 131


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file, as a value: they are collected and shown together.

    ``code`` is stable (``TP104``); ``label`` stands behind the caret; ``related`` are further
    places with a word each ("first defined here").
    """

    code: str
    message: str
    source: Source | None = None
    label: str | None = None
    hint: str | None = None
    related: tuple[tuple[str, Source], ...] = ()


class TpError(Exception):
    """The operation failed and the user can read why.

    Attributes:
        message: what is wrong, in one line.
        hint: what to do about it.
        source: the line of the file that asked for it.
        details: further lines (the kubelet's words, the last lines of a log).
        code: the diagnostic's (``TP309``), where it has one.
    """

    code: str | None = None
    exit_code: ExitCode = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        source: Source | None = None,
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.source = source
        self.details = tuple(details)


class UsageError(TpError):
    """The request is wrong, even where only the cluster or the machine can tell."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """The file has problems; all of them, sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message if problems else "the file is not valid")
        self.problems = tuple(problems)


class ConflictError(TpError):
    """Another session holds what is asked for."""

    exit_code = ExitCode.CONFLICT


class NoPermissionError(TpError):
    """The cluster's authorizer says no."""

    exit_code = ExitCode.PERMISSION


class UnreachableError(TpError):
    """The API server cannot be reached."""

    exit_code = ExitCode.UNREACHABLE
