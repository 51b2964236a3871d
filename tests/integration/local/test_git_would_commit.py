"""Exported files and git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tpconfig.local import gitcheck

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def test_what_git_has_and_what_it_would_take(tmp_path: Path) -> None:
    """Tracked, ignored and neither are told apart, for files and folders that need not exist."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.ignored\n")
    (tmp_path / "a*b").touch()
    subprocess.run(["git", "-C", tmp_path, "add", "a*b"], check=True)
    names = ["a*b", "axb", "new", "deep/down/x.ignored"]
    found = gitcheck.look([str(tmp_path / name) for name in names])
    assert found.tracked == (str(tmp_path / "a*b"),)
    assert found.visible == (str(tmp_path / "axb"), str(tmp_path / "new"))


def test_outside_of_a_work_tree_there_is_nothing_to_say(tmp_path: Path) -> None:
    """No repository, no finding."""
    assert gitcheck.look([str(tmp_path / "x")]) == gitcheck.GitFindings()
