"""Gives the contract tests their place, whether pytest was started as a module or as a command."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from tests.contract.contract_place import place, real  # noqa: E402

__all__ = ["place", "real"]
