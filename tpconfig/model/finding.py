"""What an examination found: one line each, with its cure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a finding is meant; ``UNKNOWN``: it could not be examined, which hurts nobody."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``cure`` says what to do where something is wrong."""

    topic: str
    verdict: Verdict
    text: str
    cure: str = ""
