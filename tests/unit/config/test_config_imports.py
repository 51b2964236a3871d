"""Commands that read no file do not pay for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_importing_the_package_imports_neither_pydantic_nor_yaml() -> None:
    """The package itself costs nothing: --help must stay fast."""
    code = (
        "import sys, tpconfig.config, tpconfig.config.codes, tpconfig.cli.diagnostics\n"
        "print([name for name in ('pydantic', 'yaml', 'click') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
