"""Where two rigs could meet, and do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig import builds, places
from tests.rig.failure import RigError


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_two_checkouts_get_two_folders_and_two_slots(tmp_path: Path) -> None:
    """Neither addresses nor files are shared."""
    one, two = places.places(tmp_path / "one"), places.places(tmp_path / "two")
    places.claim(one)
    places.claim(two)
    assert one.state != two.state
    assert one.slot != two.slot


def test_a_checkout_keeps_its_slot(tmp_path: Path) -> None:
    """A second ``up`` finds the same addresses."""
    rig = places.places(tmp_path)
    places.claim(rig)
    first = rig.slot
    places.claim(rig)
    assert rig.slot == first


def test_without_a_rig_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    """The hint is the command."""
    with pytest.raises(RigError, match=r"python -m tests\.rig up"):
        _ = places.places(tmp_path).slot


def test_a_build_that_failed_is_not_taken_for_a_finished_one() -> None:
    """The folder gets its name when it is whole."""

    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise RigError("interrupted")

    def succeed(draft: Path) -> None:
        (draft / "whole").touch()

    with pytest.raises(RigError, match="interrupted"):
        builds.artifact("thing", [b"input"], fail)
    folder = builds.artifact("thing", [b"input"], succeed)
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_another_input_is_another_build() -> None:
    """A stale binary is never used."""
    names = [builds.artifact("thing", [word], lambda _: None).name for word in (b"a", b"b")]
    assert names[0] != names[1]
