"""Which files are read, what comes out of them, and that nothing makes it raise anything else."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpconfig.config import codes, limits
from tpconfig.config.load import Loaded, load
from tpconfig.errors import ConfigError, Problem

MINIMAL = "version: 1\nname: {}\nworkloads: {{a: {{target: deployment/a}}}}\n"


def write(folder: Path, **files: str) -> None:
    """Write minimal files with a name inside; ``__`` in a file's name stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, inside in files.items():
        (folder / name.replace("__", ".")).write_text(MINIMAL.format(inside))


def read(*paths: str | Path, cwd: Path) -> Loaded:
    """Load with an empty environment."""
    return load(paths, cwd=cwd, environ={})


def problems(*paths: str | Path, cwd: Path) -> list[Problem]:
    """Return what is wrong."""
    with pytest.raises(ConfigError) as caught:
        read(*paths, cwd=cwd)
    return list(caught.value.problems)


@pytest.mark.parametrize("name", ["telepresence.yaml", "telepresence.yml", "tp.yaml"])
def test_file_is_found_in_a_parent(name: str, tmp_path: Path) -> None:
    """Each of our names is found from a folder below, which the paths in it do not follow."""
    write(tmp_path, **{name: "shop"})
    (tmp_path / "a" / "b").mkdir(parents=True)
    loaded = read(cwd=tmp_path / "a" / "b")
    assert loaded.file.name == "shop"
    assert loaded.folder == tmp_path
    assert loaded.paths == (tmp_path / name,)


def test_nearest_folder_wins(tmp_path: Path) -> None:
    """A file in the folder itself hides the ones above, whatever their names are."""
    write(tmp_path, telepresence__yaml="outer")
    write(tmp_path / "in", tp__yaml="inner")
    assert read(cwd=tmp_path / "in").file.name == "inner"


def test_a_folder_of_that_name_is_no_file(tmp_path: Path) -> None:
    """A folder called telepresence.yaml is passed over."""
    write(tmp_path, tp__yaml="shop")
    (tmp_path / "telepresence.yaml").mkdir()
    assert read(cwd=tmp_path).file.name == "shop"


def test_no_file_names_the_nearest(tmp_path: Path) -> None:
    """Without a file, one with nearly that name is pointed out."""
    (tmp_path / "telepresense.yaml").write_text("version: 1")
    (problem,) = problems(cwd=tmp_path)
    assert problem.code == codes.NO_FILE
    assert problem.hint is not None
    assert "telepresense.yaml" in problem.hint


def test_override_is_merged_when_the_file_is_found(tmp_path: Path) -> None:
    """The override beside the found file is laid over it."""
    write(tmp_path, telepresence__yaml="base", telepresence__override__yaml="mine")
    loaded = read(cwd=tmp_path)
    assert loaded.file.name == "mine"
    assert len(loaded.paths) == 2


def test_override_is_not_merged_when_files_are_named(tmp_path: Path) -> None:
    """With -f only what is named is read, as in compose."""
    write(tmp_path, telepresence__yaml="base", telepresence__override__yaml="mine")
    assert read("telepresence.yaml", cwd=tmp_path).file.name == "base"


def test_later_files_win_and_the_first_gives_the_folder(tmp_path: Path) -> None:
    """Several -f are laid over each other; paths in all are relative to the first one's folder."""
    write(tmp_path / "one", a__yaml="a")
    write(tmp_path / "two", b__yaml="b")
    loaded = read("one/a.yaml", tmp_path / "two" / "b.yaml", cwd=tmp_path)
    assert loaded.file.name == "b"
    assert loaded.folder == tmp_path / "one"


def test_the_project_folder_has_a_name(tmp_path: Path) -> None:
    """A file named by way of the folder above gives a folder without dots in its path."""
    write(tmp_path / "shop", tp__yaml="x")
    (tmp_path / "shop" / "src").mkdir()
    assert read("../tp.yaml", cwd=tmp_path / "shop" / "src").folder == tmp_path / "shop"


def test_all_missing_files_are_named(tmp_path: Path) -> None:
    """Every -f that does not exist is a problem of its own, with the nearest name."""
    write(tmp_path, stage__yaml="x")
    found = problems("stge.yaml", "nowhere/x.yaml", cwd=tmp_path)
    assert [problem.code for problem in found] == [codes.NO_FILE] * 2
    assert found[0].hint == "did you mean stage.yaml?"


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    """A folder as -f is a problem and no crash."""
    (problem,) = problems(tmp_path, cwd=tmp_path)
    assert problem.code == codes.NO_FILE


def test_standard_input_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-f -`` reads the standard input; the project folder is the current one."""
    given_text = MINIMAL.format("piped").encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given_text)))
    loaded = read("-", cwd=tmp_path)
    assert (loaded.file.name, loaded.folder) == ("piped", tmp_path)


def test_a_pipe_is_a_file(tmp_path: Path) -> None:
    """A named pipe, as the shell's <(…) makes it, can be read once."""
    reading, writing = os.pipe()
    os.write(writing, MINIMAL.format("piped").encode())
    os.close(writing)
    try:
        assert read(f"/dev/fd/{reading}", cwd=tmp_path).file.name == "piped"
    finally:
        os.close(reading)


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    """A file without an end is read only so far."""
    (problem,) = problems("/dev/zero", cwd=tmp_path)
    assert problem.code == codes.TOO_LARGE


def test_places_name_the_file_as_it_is_seen_from_here(tmp_path: Path) -> None:
    """A file's name in messages is the one that works in the current folder."""
    write(tmp_path / "in", telepresence__yaml="shop")
    below = read("in/telepresence.yaml", cwd=tmp_path).source_of(("name",))
    (tmp_path / "other").mkdir()
    beside = read("../in/telepresence.yaml", cwd=tmp_path / "other").source_of(("name",))
    assert below is not None
    assert beside is not None
    assert str(below) == f"{Path('in', 'telepresence.yaml')}:2:7"
    assert beside.file == str(Path("..", "in", "telepresence.yaml"))


def test_places_of_every_part(tmp_path: Path) -> None:
    """A list item, a short form's part and a workload each have their place."""
    (tmp_path / "tp.yaml").write_text(
        "version: 1\nworkloads:\n  api:\n    target: deployment/api\n    expose: [80, 81]\n"
    )
    loaded = read(cwd=tmp_path)

    def at(*path: str | int) -> str:
        return str(loaded.sources.source_of(path)).rpartition("tp.yaml:")[2]

    assert at("workloads", "api") == "3:3"
    assert at("workloads", "api", "expose", 1) == "5:18"
    assert at("workloads", "api", "target", "name") == "4:13"
    assert at() == "1:1"
    assert loaded.sources.text_of(("workloads", "api", "expose", 0)) == "80"


def test_a_dotenv_is_read_beside_the_first_file(tmp_path: Path) -> None:
    """The .env belongs to the project folder and not to the current one."""
    write(tmp_path / "in", tp__yaml="${WHO}")
    (tmp_path / ".env").write_text("WHO=outside")
    (tmp_path / "in" / ".env").write_text("WHO=inside")
    assert read("in/tp.yaml", cwd=tmp_path).file.name == "inside"


def test_only_so_many_problems_are_shown(tmp_path: Path) -> None:
    """Beyond what anybody reads, problems are counted and not shown."""
    keys = "".join(f"k{number}: 1\n" for number in range(limits.MAX_PROBLEMS * 3))
    (tmp_path / "tp.yaml").write_text(f"version: 1\n{keys}a: &x\n")
    assert len(problems(cwd=tmp_path)) <= limits.MAX_PROBLEMS + 1


def test_an_export_through_a_link_is_outside(tmp_path: Path) -> None:
    """A link that leads out of the project folder does not hide that it does."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    (tmp_path / "in" / "tp.yaml").write_text(
        "version: 1\nworkloads: {a: {target: deployment/a, env: {export: [link/x.env]}}}"
    )
    (problem,) = problems(cwd=tmp_path / "in")
    assert problem.code == codes.EXPORT_OUTSIDE


EXAMPLE = (Path(__file__).parents[3] / "tp.yaml.example").read_text(encoding="utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 60)),
    text=st.text(st.sampled_from(":-{}[]&*!|>'\"%@`#?,$ \n\tab0é"), max_size=12),
)
def test_a_damaged_file_makes_nothing_but_problems(
    cut: tuple[int, int], text: str, tmp_path: Path
) -> None:
    """Whatever is cut out of the example and typed into it, only our problems come out."""
    start, length = cut
    damaged = EXAMPLE[:start] + text + EXAMPLE[start + length :]
    (tmp_path / "tp.yaml").write_text(damaged, encoding="utf-8")
    found: tuple[Problem, ...] | None = None
    try:
        load(cwd=tmp_path, environ={"USER": "anna"})
    except ConfigError as error:
        found = error.problems
    assert found is None or found
    assert {problem.code for problem in found or ()} <= set(codes.MEANINGS)


def test_a_model_survives_being_written(tmp_path: Path) -> None:
    """What the models write of a file reads back as the same models."""
    (tmp_path / "src").mkdir()
    (tmp_path / "tp.yaml").write_text(EXAMPLE)
    first = load(cwd=tmp_path, environ={"USER": "anna"}).file
    written = first.model_dump_json(by_alias=True, exclude_none=True).replace("$", "$$")
    (tmp_path / "tp.yaml").write_text(written)
    assert load(cwd=tmp_path, environ={}).file == first
