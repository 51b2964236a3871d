"""Copies of a Pod's volumes, from the agent's records to the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tpconfig.agent.volumes import Volume
from tpconfig.local import mounting
from tpconfig.local.copies import CopiedVolumes
from tpconfig.mux.filerecords import Reader

LIMIT = 1 << 20


class Both:
    """A Pod's folder and its copy: the agent's look on one side, what is written on the other."""

    def __init__(self, tmp_path: Path) -> None:
        self.there = tmp_path / "pod"
        self.there.mkdir()
        self.volume = Volume(str(self.there))
        self.copies = CopiedVolumes(tmp_path / "root")
        self.here = tmp_path / "root" / str(self.there).lstrip("/")

    def refresh(self, limit: int = LIMIT) -> int:
        """Send what has changed; return how many bytes that took."""
        reader = Reader()
        wire = b"".join(self.volume.changes(limit))
        for record in reader.feed(wire):
            if isinstance(record, bytes):
                self.copies.data(record)
            else:
                self.copies.header(record)
        return len(wire)

    def reconnect(self) -> None:
        """Begin again, as on a new link."""
        self.volume = Volume(str(self.there))

    def project(self, generation: str, **content: str) -> None:
        """Write a ConfigMap's volume as the kubelet does."""
        (self.there / generation).mkdir()
        for name, text in content.items():
            (self.there / generation / name).write_text(text)
        (self.there / "..new").symlink_to(generation)
        before = self.there / "..data"
        old = os.readlink(before) if before.is_symlink() else None
        os.replace(self.there / "..new", before)
        for name in content:
            if not (self.there / name).is_symlink():
                (self.there / name).symlink_to(f"..data/{name}")
        if old:
            for path in (self.there / old).iterdir():
                path.unlink()
            (self.there / old).rmdir()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """A Pod's folder and its copy."""
    found = Both(tmp_path)
    yield found
    mounting.remove_tree(tmp_path / "root")


def test_everything_comes_as_it_is(both: Both) -> None:
    """Contents, modes, links that lead anywhere, empty folders, and names that are no text."""
    odd = os.fsdecode(b"odd \xff\n")
    (both.there / "deep" / "er").mkdir(parents=True)
    (both.there / "deep" / odd).write_bytes(b"\0\xff" * 100_000)
    (both.there / "run.sh").write_text("#!/bin/sh\n")
    (both.there / "run.sh").chmod(0o755)
    (both.there / "out").symlink_to("/etc/hostname")
    both.refresh()
    assert (both.here / "deep" / odd).read_bytes() == b"\0\xff" * 100_000
    assert (both.here / "deep" / "er").is_dir()
    assert stat.S_IMODE((both.here / "run.sh").stat().st_mode) == 0o755
    assert os.readlink(both.here / "out") == "/etc/hostname"
    assert both.refresh() == 0


def test_a_config_map_is_replaced_as_a_whole(both: Both) -> None:
    """Whoever reads through ..data sees one generation; the old one is gone afterwards."""
    both.project("..1", a="one", b="one")
    both.refresh()
    both.project("..2", a="two", b="two")
    assert both.refresh() > 0
    assert [(both.here / name).read_text() for name in "ab"] == ["two", "two"]
    assert sorted(path.name for path in both.here.iterdir()) == ["..2", "..data", "a", "b"]


def test_what_the_process_has_written_stays_until_the_pod_writes_it(both: Both) -> None:
    """A copy is the process's own; only what changes there is taken over."""
    for name in ("a", "b", "c"):
        (both.there / name).write_text("pod")
    both.refresh()
    for name in ("a", "b", "mine"):
        (both.here / name).write_text("here")
    (both.there / "b").write_text("pod again")
    (both.there / "c").unlink()
    both.refresh()
    both.reconnect()
    both.refresh()
    found = {path.name: path.read_text() for path in both.here.iterdir()}
    assert found == {"a": "here", "b": "pod again", "mine": "here"}


def test_what_went_while_there_was_no_link_goes(both: Both) -> None:
    """The first look on a new link says what is there; the rest is gone."""
    (both.there / "a").write_text("x")
    both.refresh()
    (both.there / "a").unlink()
    both.reconnect()
    both.refresh()
    assert not (both.here / "a").exists()


def test_a_file_becomes_a_folder_and_back(both: Both) -> None:
    """The kind of an entry may change."""
    (both.there / "x").write_text("file")
    both.refresh()
    (both.there / "x").unlink()
    (both.there / "x").mkdir()
    (both.there / "x" / "y").write_text("deep")
    both.refresh()
    assert (both.here / "x" / "y").read_text() == "deep"
    (both.there / "x" / "y").unlink()
    (both.there / "x").rmdir()
    (both.there / "x").write_text("file again")
    both.refresh()
    assert (both.here / "x").read_text() == "file again"


def test_too_much_is_not_sent(both: Both) -> None:
    """Its size is said instead."""
    (both.there / "big").write_bytes(b"x" * 1000)
    both.refresh(limit=999)
    assert both.copies.volumes[str(both.there)].over == 1000
    assert not (both.here / "big").exists()


def test_a_volume_that_is_one_file(tmp_path: Path) -> None:
    """A subPath mounts a file: it comes as a file."""
    both = Both(tmp_path)
    (both.there / "one").write_text("x")
    both.volume = Volume(str(both.there / "one"))
    both.refresh()
    assert (both.here / "one").read_text() == "x"


FILE = {"kind": "file", "mode": 0o644, "mtime_ns": 0, "size": 1}
EVIL: list[list[dict[str, Any]]] = [
    [{"begin": "/v/../../x", "whole": True}],
    [{"begin": "v", "whole": True}],
    [{"begin": "/v", "whole": True}, {"name": "../x", **FILE}],
    [{"begin": "/v", "whole": True}, {"name": "/etc/x", **FILE}],
    [{"begin": "/v", "whole": True}, {"name": "a/./x", **FILE}],
    [
        {"begin": "/v", "whole": True},
        {"name": "out", "kind": "link", "to": "/tmp"},
        {"end": "/v", "gone": [], "skipped": []},
        {"begin": "/v", "whole": False},
        {"name": "out/x", **FILE},
    ],
    [{"name": "x", **FILE}],
]


@pytest.mark.parametrize("records", EVIL)
def test_no_name_leads_out(records: list[dict[str, Any]], tmp_path: Path) -> None:
    """Neither dots, nor absolute names, nor a link that the Pod has made itself."""
    copies = CopiedVolumes(tmp_path / "root")
    *before, last = records
    for record in before:
        copies.header(record)
    with pytest.raises((ValueError, OSError)):
        copies.header(last)
    copies.close()
    assert not list(tmp_path.rglob("x"))
