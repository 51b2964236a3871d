"""The keeper's program: ``python -I -S keeper_main.py keep|enter DESCRIPTOR``.

A program of its own because making namespaces wants a single thread and a process without a past,
and because it has to outlive a ``tp`` that was killed by the moment it takes to tidy up.
"""

from __future__ import annotations

import os
import sys


def main(argv: list[str]) -> None:
    """Do what the command line says; the folder is put last, so nothing hides the library."""
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    match argv[1:]:
        case ["keep", descriptor]:
            from tpconfig.local.inside import loop

            loop.keep(int(descriptor))
        case ["enter", descriptor]:
            from tpconfig.local.inside import entering

            entering.become(int(descriptor))
        case _:
            raise SystemExit(f"usage: {argv[0]} keep|enter DESCRIPTOR")


if __name__ == "__main__":
    main(sys.argv)
