"""The page of each diagnostic code: what it means, why it is one, and a file without it.

A page is ``pages/CODE.md``: prose, and where a file can show it an example that causes the code
(``Wrong:``) and the same one put right (``Right:``); a test loads both. What only a cluster can
tell has prose alone.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from importlib import resources
from typing import Final

from tpconfig.config import codes
from tpconfig.errors import UsageError
from tpconfig.suggest import nearest

_EXAMPLE: Final = re.compile(r"^(Wrong|Right):\n\n((?:    .*\n|\n)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """What ``tp explain`` prints; ``wrong`` and ``right`` are the examples in ``body``."""

    code: str
    meaning: str
    body: str
    wrong: str | None
    right: str | None

    def text(self) -> str:
        """Return the page as it is read in a terminal."""
        return f"{self.code}: {self.meaning}\n\n{self.body.rstrip()}"


def page(code: str) -> Page:
    """Return the page of a code, however it is capitalised.

    Raises:
        UsageError: there is no such code.
    """
    code = code.upper()
    if code not in codes.ALL:
        guess = nearest(code, list(codes.ALL))
        hint = f"did you mean {guess}?" if guess else "tp explain lists all of them"
        raise UsageError(f"there is no diagnostic {code}", hint=hint)
    file = resources.files("tpconfig.config") / "pages" / f"{code}.md"
    body = file.read_text(encoding="utf-8")
    shown = {word: textwrap.dedent(example) for word, example in _EXAMPLE.findall(body)}
    return Page(code, codes.ALL[code], body, shown.get("Wrong"), shown.get("Right"))
