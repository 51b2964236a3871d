"""How much of a file is read before it is refused: at most 2 s and 300 MB for any input."""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 1 << 20
"""Of one file; 3,000 lines of ordinary configuration are a tenth of it."""

MAX_VALUES: Final = 20_000
"""Values in one document after aliases and merge keys are expanded."""

MAX_DEPTH: Final = 64

MAX_INCLUDED: Final = 200
"""Files that all ``include`` of one project name, each as often as it is named."""

MAX_INTERPOLATED: Final = 4 << 20
"""Characters that all ``${…}`` of one document may come to."""

MAX_FORWARD_RANGE: Final = 256
"""Ports of one forward: each is a listening socket."""

MAX_PROBLEMS: Final = 100
"""Problems that are shown of one load; nobody reads more."""
