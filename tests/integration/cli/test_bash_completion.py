"""The completion that is printed, in a real bash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import tpconfig

CHECKOUT = Path(tpconfig.__file__).parents[1]
FILE = "version: 1\nworkloads: {web: {target: deployment/web}, worker: {target: deployment/worker}}"


def test_bash_completes(tmp_path: Path) -> None:
    """The script that is printed is one that bash takes, and it asks `tp`."""
    code = """
        eval "$(tp completion bash)"
        COMP_WORDS=(tp up wo); COMP_CWORD=2
        _tp_completion tp
        echo "${COMPREPLY[@]}"
    """
    (tmp_path / "telepresence.yaml").write_text(FILE)
    program = tmp_path / "tp"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tpconfig "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": "/", "PYTHONPATH": str(CHECKOUT)},
    )
    assert done.stdout.split() == ["worker"], done.stderr
