"""The nearest existing name to one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(wanted: str, existing: Iterable[str]) -> str | None:
    """Return the existing name that ``wanted`` was most likely meant to be, if any is near."""
    matches = difflib.get_close_matches(wanted, list(existing), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(wanted: str, existing: Iterable[str]) -> str:
    """Say which names there are, the nearest first."""
    names = sorted(existing)
    if not names:
        return "there is none"
    if guess := nearest(wanted, names):
        return f"did you mean `{guess}`?"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"there is: {shown}"
