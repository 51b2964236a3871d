"""The nearest known word to one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Final

_MAX_LENGTH: Final = 64
_MAX_WORDS: Final = 500
_SHOWN: Final = 8


def nearest(wanted: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``wanted`` was most likely meant to be, if any is near."""
    if len(wanted) > _MAX_LENGTH:
        return None
    words = list(islice(known, _MAX_WORDS))
    folded = {word.lower().replace("-", "_"): word for word in words}
    word = wanted.lower().replace("-", "_")
    matches = difflib.get_close_matches(word, folded, n=1, cutoff=0.6)
    if not matches and len(word) >= 3:
        matches = [known_word for known_word in folded if known_word.startswith(word)]
    return folded[matches[0]] if matches else None


def did_you_mean(wanted: str, known: Iterable[str]) -> str | None:
    """Ask for the nearest known word, if there is one."""
    guess = nearest(wanted, known)
    return f"did you mean `{guess}`?" if guess else None


def nearest_of(wanted: str, existing: Iterable[str]) -> str:
    """Ask for the nearest of what exists, else say what there is."""
    names = sorted(existing)
    if not names:
        return "there is none"
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return did_you_mean(wanted, names) or f"there is: {shown}"


def listed(words: Iterable[str], *, last: str = "or") -> str:
    """Write words as a sentence does: `` `a`, `b` or `c` ``."""
    quoted = [f"`{word}`" for word in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"
