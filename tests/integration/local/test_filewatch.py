"""How files change in practice: each way of saving is noticed, once, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tpconfig.local import filewatch

Save = Callable[[Path], object]


def write(path: Path) -> None:
    """nano, ``cat >``: truncate and write."""
    path.write_text("new")


def replace(path: Path) -> None:
    """VS Code's and JetBrains's safe write, gedit: another file takes its place."""
    other = path.with_name(".telepresence.yaml.tmp")
    other.write_text("new")
    os.replace(other, path)


def vim(path: Path) -> None:
    """The old one is renamed, a new one is written, the old one removed."""
    probe = path.with_name("4913")
    probe.touch()
    probe.unlink()
    backup = path.with_name(path.name + "~")
    os.rename(path, backup)
    path.write_text("new")
    backup.unlink()


def emacs(path: Path) -> None:
    """A lock that is a dangling link, a backup, then the file itself."""
    lock = path.with_name(".#" + path.name)
    lock.symlink_to("user@host.123:456")
    shutil.copy2(path, path.with_name(path.name + "~"))
    path.write_text("new")
    lock.unlink()


def sed(path: Path) -> None:
    """``sed -i``."""
    subprocess.run(["sed", "-i", "s/old/new/", path], check=True)


def append(path: Path) -> None:
    """``echo >>``."""
    with path.open("a") as file:
        file.write(" and new")


def remove(path: Path) -> None:
    """``git stash`` of a file that is new."""
    path.unlink()


def remove_folder(path: Path) -> None:
    """``git checkout`` of a branch without the folder."""
    shutil.rmtree(path.parent)


WAYS = [write, replace, vim, emacs, sed, append, remove, remove_folder]


@asynccontextmanager
async def watching(*paths: Path) -> AsyncIterator[asyncio.Queue[None]]:
    """Collect changes while the block runs."""
    noticed: asyncio.Queue[None] = asyncio.Queue()

    async def collect() -> None:
        async for _ in filewatch.changes(lambda: paths):
            noticed.put_nowait(None)

    task = asyncio.create_task(collect())
    try:
        await noticed.get()  # the first look
        yield noticed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in a folder of its own."""
    path = tmp_path / "project" / "telepresence.yaml"
    path.parent.mkdir()
    path.write_text("old")
    return path


@pytest.mark.parametrize("save", WAYS)
async def test_every_way_to_save(file: Path, save: Save) -> None:
    """It is one change."""
    async with watching(file) as noticed:
        save(file)
        async with asyncio.timeout(10):
            await noticed.get()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(filewatch.LOOK_S + 0.3):
                await noticed.get()


async def test_a_folder_that_comes_back_is_watched_again(file: Path) -> None:
    """After ``git checkout`` away and back, the next save is noticed too."""
    async with watching(file) as noticed, asyncio.timeout(20):
        shutil.rmtree(file.parent)
        await noticed.get()
        file.parent.mkdir()
        file.write_text("back")
        await noticed.get()
        replace(file)
        await noticed.get()


async def test_a_link_into_another_folder(file: Path, tmp_path: Path) -> None:
    """A change of the real file is one, and so is another target of the link."""
    real = tmp_path / "real" / "shared.yaml"
    real.parent.mkdir()
    real.write_text("shared")
    file.unlink()
    file.symlink_to(real)
    async with watching(file) as noticed, asyncio.timeout(20):
        replace(real)
        await noticed.get()
        other = tmp_path / "other.yaml"
        other.write_text("other")
        file.unlink()
        file.symlink_to(other)
        await noticed.get()


async def test_a_file_that_appears(file: Path) -> None:
    """An override that was not there before counts when it is written."""
    override = file.with_name("telepresence.override.yaml")
    async with watching(file, override) as noticed, asyncio.timeout(10):
        override.write_text("more")
        await noticed.get()


async def test_the_same_text_again_is_no_change(file: Path) -> None:
    """Nor is reading it, or another file of the folder."""
    async with watching(file) as noticed:
        file.write_text("old")
        file.touch()
        file.read_text()
        file.with_name("other").write_text("x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(filewatch.LOOK_S + 0.3):
                await noticed.get()


async def test_without_inotify(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every instance is taken, a slow look still notices."""

    def refuse(*_: object) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr("watchdog.observers.api.BaseObserver.schedule", refuse)
    async with watching(file) as noticed, asyncio.timeout(10):
        replace(file)
        await noticed.get()


async def test_a_file_that_is_followed_from_now_on(file: Path, tmp_path: Path) -> None:
    """What a change adds to the files (an include) counts from the moment that it is read."""
    other = tmp_path / "other" / "base.yaml"
    other.parent.mkdir()
    other.write_text("old")
    paths = [file]
    found = filewatch.changes(lambda: paths)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        await anext(found)
        file.write_text("with an include")
        await anext(found)
        paths.append(other)
        noticed = tasks.create_task(anext(found))
        await asyncio.sleep(0)
        replace(other)
        await noticed
    await found.aclose()
