"""What a session has written on this machine, and how it goes away again."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tpconfig.local import state
from tpconfig.local.leftovers import Leftovers
from tpconfig.session.locks import only_one
from tpconfig.session.sweep import sweep

ENV = b"TOKEN='s3cret'\n"


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """An environment whose state folder is the test's own."""
    return {"TP_STATE_DIR": str(tmp_path / "s")}


@pytest.fixture
def left(place: dict[str, str]) -> Leftovers:
    """A session's record."""
    return Leftovers(state.open_session(state.prepare(state.folder(place)), "0000aaaa"))


def test_what_a_killed_session_exported_goes_with_the_next_command(
    left: Leftovers, place: dict[str, str], tmp_path: Path
) -> None:
    """The record outlives the process, and after the sweep neither file nor record is there."""
    path = tmp_path / ".env"
    left.export("web", str(path), ENV, keep=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sweep(place) == [f"removed {path}"]
    assert not path.exists()
    assert sweep(place) == []


def test_a_session_that_lives_is_left_alone(
    left: Leftovers, place: dict[str, str], tmp_path: Path
) -> None:
    """While its lock is held nothing of it is touched."""
    path = tmp_path / ".env"
    left.export("web", str(path), ENV, keep=False)
    with only_one(left.paths.socket.with_name("lock")):
        assert sweep(place) == []
    assert path.read_bytes() == ENV


def test_a_file_that_was_there_before_is_put_back(left: Leftovers, tmp_path: Path) -> None:
    """However often it was written since, and with its mode."""
    path = tmp_path / ".env"
    path.write_text("MINE=1\n")
    path.chmod(0o640)
    left.export("web", str(path), ENV, keep=False)
    left.export("web", str(path), ENV + b"MORE='1'\n", keep=False)
    assert left.retire("web") == []
    assert path.read_text() == "MINE=1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in left.paths.folder.iterdir()] == []


def test_what_somebody_has_changed_meanwhile_is_left_to_them(
    left: Leftovers, tmp_path: Path
) -> None:
    """It is said, with the copy of what was there before."""
    path = tmp_path / ".env"
    path.write_text("MINE=1\n")
    left.export("web", str(path), ENV, keep=False)
    path.write_text("edited")
    (said,) = left.retire("web")
    assert said.startswith(f"{path} was changed since tp wrote it: left as it is")
    assert path.read_text() == "edited"
    assert Path(said.split("before: ")[1].rstrip(")")).read_text() == "MINE=1\n"


def test_keep_makes_it_the_users_own(
    left: Leftovers, place: dict[str, str], tmp_path: Path
) -> None:
    """A kept file stays, also when it was not one that is kept at first."""
    path = tmp_path / ".env"
    left.export("web", str(path), b"A=1\n", keep=False)
    left.export("web", str(path), ENV, keep=True)
    left.retire("web")
    assert sweep(place) == []
    assert path.read_bytes() == ENV


def test_only_what_is_no_longer_asked_for_goes(left: Leftovers, tmp_path: Path) -> None:
    """A reload that names another file removes the first one, of that workload alone."""
    for workload, name in (("web", "a"), ("web", "b"), ("api", "c")):
        left.export(workload, str(tmp_path / name), ENV, keep=False)
    left.retire("web", but=(str(tmp_path / "b"),))
    assert {name for name in "abc" if (tmp_path / name).exists()} == {"b", "c"}


def test_killed_between_record_and_file(left: Leftovers, tmp_path: Path) -> None:
    """Both what it held and what it was to hold count as ours: secrets do not stay."""
    path = tmp_path / ".env"
    left.export("web", str(path), ENV, keep=False)
    record = json.loads(left.paths.record.read_text())
    record["exports"][str(path)]["digests"].append("0" * 64)
    left.paths.record.write_text(json.dumps(record))
    Leftovers(left.paths).clear()
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"exports": {"/x": 3}}'])
def test_a_record_that_makes_no_sense_stops_nobody(
    left: Leftovers, place: dict[str, str], text: str
) -> None:
    """Half a record, or a future one, is removed without a word."""
    left.paths.record.write_text(text)
    assert sweep(place) == []
    assert not left.paths.record.exists()
