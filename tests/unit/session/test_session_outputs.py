"""What processes wrote is kept, within bounds, and read back as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tpconfig.model.events import Event, ProcessOutput, Remark
from tpconfig.session import outputs
from tpconfig.session.outputs import Choice, Reading


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the disk here."""
    monkeypatch.setattr(outputs, "FLUSH_S", 0.001)


async def write(path: Path, *lines: tuple[str, bytes]) -> list[Event]:
    """Have workloads write lines; return what went on to the terminal."""
    shown: list[Event] = []
    emit = outputs.kept(shown.append, path)
    emit(Remark("not a process's"))
    for workload, line in lines:
        emit(ProcessOutput(workload, "stdout", line))
    await asyncio.sleep(0.02)
    return shown


EVERYTHING = Choice()


def read(path: Path, choice: Choice = EVERYTHING) -> list[tuple[str, bytes]]:
    """What is there now."""
    reading = Reading(path, choice)
    try:
        return [(one.output.workload, one.output.line) for one in reading.begin()]
    finally:
        reading.close()


ODD = [("web", b""), ("web", b"a b  c "), ("api", b"\xff\xfe \x00"), ("api", b"x" * 70000)]


async def test_lines_come_back_as_they_were(tmp_path: Path) -> None:
    """Empty, with blanks, not text at all, long; and every event is shown as ever."""
    shown = await write(tmp_path / "o", *ODD)
    assert read(tmp_path / "o") == ODD
    assert len(shown) == len(ODD) + 1
    assert (tmp_path / "o").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (Choice(["web"]), [b"1", b"3"]),
        (Choice(tail=2), [b"2", b"3"]),
        (Choice(["web"], tail=1), [b"3"]),
        (Choice(tail=0), []),
        (Choice(since=4_000_000_000), []),
        (Choice(since=1), [b"1", b"2", b"3"]),
    ],
)
async def test_lines_are_chosen(tmp_path: Path, choice: Choice, found: list[bytes]) -> None:
    """By workload, by time, the last of them."""
    await write(tmp_path / "o", ("web", b"1"), ("api", b"2"), ("web", b"3"))
    assert [line for _, line in read(tmp_path / "o", choice)] == found


async def test_two_files_are_kept_and_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is followed comes once and in order through every rotation; old lines are dropped."""
    monkeypatch.setattr(outputs, "ROTATE_BYTES", 400)
    path = tmp_path / "o"
    emit = outputs.kept(lambda event: None, path)
    reading = Reading(path, Choice())
    seen = [one.output.line for one in reading.begin()]
    sent = [b"%04d" % number for number in range(200)]
    for number, line in enumerate(sent):
        emit(ProcessOutput("web", "stdout", line))
        if number % 7 == 0:
            await asyncio.sleep(0.005)
            seen += [one.output.line for one in reading.more()]
    await asyncio.sleep(0.02)
    seen += [one.output.line for one in reading.more()]
    reading.close()
    assert seen == sent
    kept = [line for _, line in read(path)]
    assert kept == sent[-len(kept) :]
    assert len(kept) < 60


async def test_a_new_session_begins_with_nothing(tmp_path: Path) -> None:
    """What the one before it wrote is dropped with its first line."""
    await write(tmp_path / "o", ("web", b"old"))
    await write(tmp_path / "o", ("web", b"new"))
    assert read(tmp_path / "o") == [("web", b"new")]


def test_nothing_was_written_yet(tmp_path: Path) -> None:
    """No file, no lines, no error."""
    assert read(tmp_path / "o") == []
