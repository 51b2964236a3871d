"""What has happened, as values: ``cli`` shows them to people or prints them as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from tpconfig.errors import TpError
from tpconfig.model.actions import Action
from tpconfig.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Planned:
    """What is going to be done, and where: context, server, the session's id and its ttl."""

    plan: Plan
    context: str
    server: str
    namespaces: tuple[str, ...]
    session: str
    holder: str
    ttl_s: float


@dataclass(frozen=True, slots=True)
class ActionStarted:
    """An action begins."""

    action: Action


@dataclass(frozen=True, slots=True)
class ActionWaiting:
    """An action has nothing to do but wait; ``what`` says for what."""

    action: Action
    what: str


@dataclass(frozen=True, slots=True)
class ActionDone:
    """An action ended well after ``took_s`` seconds."""

    action: Action
    took_s: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ActionFailed:
    """An action failed; ``message`` is the error's first line."""

    action: Action
    message: str


@dataclass(frozen=True, slots=True)
class ProcessOutput:
    """A line that a workload's process wrote; ``stream`` is ``stdout`` or ``stderr``."""

    workload: str
    stream: str
    line: bytes


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """A workload's process ended; a negative ``code`` is the signal that ended it."""

    workload: str
    code: int


@dataclass(frozen=True, slots=True)
class ProcessRestarts:
    """A workload's process ended by itself and is started again after ``delay_s``."""

    workload: str
    code: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A workload's link came up or was lost."""

    workload: str
    up: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FileSaved:
    """The file was saved, and this is about to be done."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class FileApplied:
    """What the saved file asks for is there, ``took_s`` after the save was noticed."""

    took_s: float


@dataclass(frozen=True, slots=True)
class FileRefused:
    """The saved file is broken or cannot be done; the session goes on as it was."""

    error: TpError


@dataclass(frozen=True, slots=True)
class SessionUp:
    """Everything that was asked for is there."""

    took_s: float


@dataclass(frozen=True, slots=True)
class Remark:
    """One line for the user: drift that was treated, a lease that was written again."""

    text: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over and everything is as before, unless ``left`` says what is not."""

    why: str
    left: str = ""


Event = (
    Planned
    | ActionStarted
    | ActionWaiting
    | ActionDone
    | ActionFailed
    | ProcessOutput
    | ProcessEnded
    | ProcessRestarts
    | LinkChanged
    | FileSaved
    | FileApplied
    | FileRefused
    | SessionUp
    | Remark
    | SessionEnded
)
