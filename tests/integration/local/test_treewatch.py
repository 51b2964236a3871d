"""What counts as a change of sources, in real folders with a real git."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tpconfig.local import treewatch


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with sources and what git ignores."""
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "app.py").write_text("1")
    (tmp_path / ".gitignore").write_text("*.log\n/src/out/\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@asynccontextmanager
async def watching(*paths: Path) -> AsyncIterator[Callable[[], list[str]]]:
    """Everything that is told until now."""
    told: list[str] = []

    async def take() -> None:
        async for burst in treewatch.changes(paths):
            told.extend(burst)

    task = asyncio.create_task(take())
    await asyncio.sleep(0.3)  # until the watches are there: there is no other sign of it
    yield lambda: told
    task.cancel()
    await asyncio.wait({task})


async def until(told: Callable[[], list[str]], path: Path) -> None:
    """Wait until a path is told."""
    async with asyncio.timeout(20):
        while str(path) not in told():
            await asyncio.sleep(0.02)


SAVES: dict[str, Callable[[Path], object]] = {
    "in place": lambda path: path.write_text("2"),
    "atomic": lambda path: (
        (path.parent / "x~").write_text("2") and (path.parent / "x~").rename(path)
    ),
    "moved away and written": lambda path: (
        path.rename(path.parent / "app.py~"),
        path.write_text("2"),
    ),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("save", SAVES)
async def test_every_way_to_save_is_noticed(project: Path, save: str) -> None:
    """And an editor's own files are not told."""
    path = project / "src" / "app.py"
    async with watching(project / "src") as told:
        SAVES[save](path)
        await until(told, path)
        assert set(told()) == {str(path)}


async def test_what_git_ignores_is_no_change(project: Path) -> None:
    """A log, a build's output; what is deep in the tree and new counts."""
    async with watching(project / "src") as told:
        (project / "src" / "debug.log").write_text("x")
        (project / "src" / "out").mkdir()
        (project / "src" / "out" / "app.js").write_text("x")
        (project / "src" / "deep" / "new.py").write_text("x")
        await until(told, project / "src" / "deep" / "new.py")
        assert set(told()) == {str(project / "src" / "deep" / "new.py")}


async def test_a_single_file_is_watched_alone(project: Path) -> None:
    """Its neighbours are nobody's business; without git nothing is ignored."""
    path = project / "src" / "settings.toml"
    async with watching(path) as told:
        (project / "src" / "other.toml").write_text("x")
        path.write_text("x")
        await until(told, path)
        assert set(told()) == {str(path)}
