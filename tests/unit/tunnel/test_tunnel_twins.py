"""Both ends of a link read first lines and carry datagrams alike."""

from __future__ import annotations

from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "tpconfig"


@pytest.mark.parametrize("name", ["streams.py", "flow.py"])
def test_both_ends_have_the_same_text(name: str) -> None:
    """Agent and tunnel do not import each other, so what they share is kept equal."""
    assert (PACKAGE / "agent" / name).read_text() == (PACKAGE / "tunnel" / name).read_text()
