"""Ctrl-C while the command line is still being imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import tpconfig

CHECKOUT = Path(tpconfig.__file__).parents[1]
SWALLOWED = """
import os, signal, sys, time
import tpconfig.__main__

class Swallows:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5)
            except KeyboardInterrupt:
                pass

sys.meta_path.insert(0, Swallows())
sys.argv = ["tp", "--version"]
tpconfig.__main__.main()
"""


def test_an_import_that_swallows_it_changes_nothing() -> None:
    """The interpreter's own callbacks do that: ``tp`` ends all the same, with one word."""
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(CHECKOUT)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
