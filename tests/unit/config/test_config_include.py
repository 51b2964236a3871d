"""Included files: found from where they are named, watched, and bounded."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tpconfig.config import codes, limits
from tpconfig.config.load import load
from tpconfig.errors import ConfigError


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, and the folders that they are in."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_names_are_relative_to_the_file_that_says_them(tmp_path: Path) -> None:
    """A file in another folder includes one beside itself; every other path is the project's."""
    write(
        tmp_path,
        {
            "shop/telepresence.yaml": "version: 1\ninclude: [../team/base.yaml]\n",
            "team/base.yaml": "include: [more/names.yaml]\n",
            "team/more/names.yaml": "name: shop\n",
        },
    )
    loaded = load(cwd=tmp_path / "shop", environ={})
    assert loaded.file.name == "shop"
    assert loaded.folder == tmp_path / "shop"
    assert {path.name for path in loaded.watched} >= {"telepresence.yaml", "base.yaml"}
    assert tmp_path / "team" / "more" / "names.yaml" in loaded.watched


def test_a_failed_load_tells_what_it_wanted(tmp_path: Path) -> None:
    """What is missing or broken can be watched, so that making it is noticed."""
    write(tmp_path, {"telepresence.yaml": "version: 1\ninclude: [there.yaml, gone.yaml]\n"})
    write(tmp_path, {"there.yaml": "name: [\n"})
    seen: list[Path] = []
    with pytest.raises(ConfigError):
        load(cwd=tmp_path, environ={}, seen=seen)
    assert [path.name for path in seen] == ["telepresence.yaml", "there.yaml", "gone.yaml"]


def test_standard_input_includes_from_where_the_command_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-f -` has no folder of its own."""
    write(tmp_path, {"base.yaml": "name: shop\n"})
    text = b"version: 1\ninclude: [base.yaml]\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    assert load(["-"], cwd=tmp_path, environ={}).file.name == "shop"


def test_standard_input_is_read_once(tmp_path: Path) -> None:
    """A second `-f -` would find nothing there, so it is refused."""
    with pytest.raises(ConfigError, match="standard input can be read once"):
        load(["-", "-"], cwd=tmp_path, environ={})


def test_the_home_folder_may_be_named(tmp_path: Path) -> None:
    """`~/` is the user's home, as for all paths of the file."""
    write(tmp_path, {"home/mine.yaml": "name: mine\n"})
    write(tmp_path, {"telepresence.yaml": "version: 1\ninclude: [~/mine.yaml]\n"})
    environ = {"HOME": str(tmp_path / "home")}
    assert load(cwd=tmp_path, environ=environ).file.name == "mine"


def test_files_that_include_each_twice_end(tmp_path: Path) -> None:
    """Twenty files that each include the next one twice would be a million; they are refused."""
    files = {f"{n}.yaml": f"include: [{n + 1}.yaml, {n + 1}.yaml]\n" for n in range(20)}
    write(tmp_path, {**files, "20.yaml": "name: x\n"})
    write(tmp_path, {"telepresence.yaml": "version: 1\ninclude: [0.yaml]\n"})
    with pytest.raises(ConfigError) as caught:
        load(cwd=tmp_path, environ={})
    assert [problem.code for problem in caught.value.problems] == [codes.TOO_LARGE]


def test_included_files_have_a_common_limit_of_values(tmp_path: Path) -> None:
    """Many files are bounded together as one file is."""
    values = ", ".join("1" for _ in range(limits.MAX_VALUES // 2))
    write(tmp_path, {"big.yaml": f"x-a: [{values}]\n"})
    write(tmp_path, {"telepresence.yaml": "version: 1\ninclude: [big.yaml, big.yaml, big.yaml]\n"})
    with pytest.raises(ConfigError) as caught:
        load(cwd=tmp_path, environ={})
    assert [problem.code for problem in caught.value.problems] == [codes.TOO_LARGE]
