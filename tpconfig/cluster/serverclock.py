"""Times as the API server writes them; whether a lease has run out is judged by its clock alone."""

from __future__ import annotations

from datetime import UTC, datetime


def to_micro_time(moment: datetime) -> str:
    """Format a time as Kubernetes' ``MicroTime``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """Parse a ``Time`` or ``MicroTime``.

    Raises:
        ValueError: it is neither.
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
