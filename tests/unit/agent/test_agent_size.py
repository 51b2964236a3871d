"""The agent travels in its Pod's arguments: how large it is, and what it drags along."""

from __future__ import annotations

import base64
import subprocess
import sys
import zlib
from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "tpconfig"
LIMIT_BYTES = 80 * 1024

HEAVY = ("http.server", "concurrent.futures.thread", "xml", "urllib.request", "pydantic", "aiohttp")


def test_it_is_small() -> None:
    """Deflated and in base64, agent, mux and names stay below the limit."""
    files = [PACKAGE / "__init__.py", PACKAGE / "names.py"]
    for folder in ("agent", "mux"):
        files += sorted((PACKAGE / folder).glob("*.py"))
    packed = zlib.compress(b"".join(file.read_bytes() for file in files), 9)
    assert len(base64.b64encode(packed)) < LIMIT_BYTES


def test_it_imports_only_what_it_needs() -> None:
    """Starting is fast because little is loaded: nothing heavy, nothing of ours but three parts."""
    program = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import tpconfig.agent.main; "
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, check=True, text=True
    ).stdout.split()
    assert not set(HEAVY) & set(loaded)
    ours = {name.split(".")[1] for name in loaded if name.startswith("tpconfig.")}
    assert ours == {"agent", "mux", "names"}
