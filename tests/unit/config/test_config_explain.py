"""The pages of the codes: each is there, and its examples do what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tpconfig.cli.main import tp
from tpconfig.config import codes, explain
from tpconfig.config.load import load
from tpconfig.errors import ConfigError, UsageError

PAGES = [explain.page(code) for code in codes.ALL]
WITHOUT_EXAMPLE = {
    codes.NO_FILE,
    codes.BAD_TEXT,
    codes.NO_ENGINE,
    codes.SEVERAL_FILES,
    codes.BAD_DOTENV_LINE,
    *codes.plan_codes.MEANINGS,
}
"""What one valid text cannot show: another file, bytes, a version of tp, a cluster."""


def codes_of(text: str, folder: Path) -> set[str]:
    """Return the codes of everything that is said about a file."""
    path = folder / "telepresence.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        return {note.code for note in load([path], cwd=folder, environ={}).notes}
    except ConfigError as error:
        return {problem.code for problem in error.problems}


def test_there_is_a_page_for_each_code_and_no_other() -> None:
    """The folder of pages has exactly the codes."""
    folder = Path(explain.__file__).parent / "pages"
    assert sorted(path.stem for path in folder.iterdir()) == sorted(codes.ALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.code)
def test_the_examples_of_a_page_are_true(page: explain.Page, tmp_path: Path) -> None:
    """The wrong example causes this code alone, the right one does not."""
    assert (page.wrong is None) == (page.code in WITHOUT_EXAMPLE)
    if page.wrong is not None and page.right is not None:
        assert codes_of(page.wrong, tmp_path) - {codes.NOTHING_ASKED} == {page.code} - {
            codes.NOTHING_ASKED
        }
        assert codes_of(page.right, tmp_path) <= {codes.NOTHING_ASKED} - {page.code}


def test_a_code_is_found_in_small_letters() -> None:
    """`tp explain tp104` is TP104."""
    assert explain.page("tp104").code == "TP104"


def test_an_unknown_code_is_named() -> None:
    """A number that no diagnostic has is an error."""
    with pytest.raises(UsageError, match="there is no diagnostic TP999"):
        explain.page("TP999")


def test_the_command_prints_a_page_or_all_codes() -> None:
    """One page with its code; all codes with a sentence each, as JSON too."""
    run = CliRunner().invoke
    assert run(tp, ["explain", "TP104"]).stdout.startswith("TP104: The key does not exist")
    assert len(run(tp, ["explain"]).stdout.splitlines()) == len(codes.ALL)
    assert json.loads(run(tp, ["explain", "--json"]).stdout) == codes.ALL
    assert json.loads(run(tp, ["--json", "explain", "TP104"]).stdout)["code"] == "TP104"


@pytest.mark.parametrize("arguments", [["config", "--json"], ["--json", "config"]])
def test_problems_are_json_for_programs(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --json, each problem is a line of JSON on standard error, and the exit code stays 2."""
    monkeypatch.chdir(tmp_path)
    text = "version: 1\nname: a\nname: b\nnam: c\n"
    Path("telepresence.yaml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(tp, arguments)
    assert result.exit_code == 2
    first, second = [json.loads(line) for line in result.stderr.splitlines()]
    assert (first["severity"], first["code"], first["source"]["line"]) == ("error", "TP105", 3)
    assert first["related"][0]["source"]["line"] == 2
    assert (second["label"], second["explain"]) == ("did you mean `name`?", "tp explain TP104")


def test_notes_are_json_for_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note about a valid file is a line of JSON beside the data, not in it."""
    monkeypatch.chdir(tmp_path)
    Path("telepresence.yaml").write_text("version: 1\n", encoding="utf-8")
    result = CliRunner().invoke(tp, ["config", "--json"])
    assert json.loads(result.stdout) == {"version": 1}
    assert json.loads(result.stderr)["severity"] == "note"


def test_another_error_is_json_too() -> None:
    """What is no fault of a file has no code."""
    result = CliRunner().invoke(tp, ["explain", "--json", "TP999"])
    found = json.loads(result.stderr)
    assert (found["code"], found["source"], result.exit_code) == (None, None, 2)


def test_people_are_told_of_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the problems stand the commands that explain them."""
    monkeypatch.chdir(tmp_path)
    Path("telepresence.yaml").write_text("version: 1\nnam: x\n", encoding="utf-8")
    result = CliRunner().invoke(tp, ["config"])
    assert result.stderr.splitlines()[-1] == "more: tp explain TP104"
