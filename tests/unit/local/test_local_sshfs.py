"""Whether a Pod's files can be mounted here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpconfig.local import sshfs


def test_what_is_missing_is_said_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program first, then the device."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sshfs, "FUSE", str(tmp_path / "fuse"))
    found = [sshfs.problem()]
    for name in ("sshfs", "fusermount3"):
        (tmp_path / name).touch(mode=0o755)
    found.append(sshfs.problem())
    (tmp_path / "fuse").touch()
    found.append(sshfs.problem())
    assert [one and one.cure for one in found] == [
        "sudo apt-get install sshfs",
        "sudo modprobe fuse",
        None,
    ]
