"""``tp config set``: one value changes, every comment stays, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.cli.main import tp
from tpconfig.config import edit
from tpconfig.errors import UsageError

TEXT = """\
# the team's
version: 1
name: shop   # ours
workloads:
  web:
    # what it is
    target: deployment/web
    expose: [3000:8080]  # one
    run:
      command: npm start
      depends_on:
        - api   # first

  # another
  api: {target: deployment/api}
forwards:
- 5432:postgres:5432

# the end
"""
CASES: list[tuple[str, str, str, str]] = [
    ("name", "store", "name: shop   # ours", "name: store   # ours"),
    ("workloads.web.expose", "[1, 2]", "expose: [3000:8080]  #", "expose: [1, 2]  #"),
    ("workloads.web.expose[0]", "80", "[3000:8080]", "[80]"),
    ("workloads.web.expose[1]", "81", "[3000:8080]", "[3000:8080, 81]"),
    ("workloads.web.run.command", "make run", "npm start", "make run"),
    (
        "workloads.web.run",
        "{command: x}",
        "run:\n      command: npm start\n      depends_on:\n        - api   #",
        "run: {command: x}   #",
    ),
    ("workloads.web.run.depends_on[0]", "db", "- api   # first", "- db   # first"),
    (
        "workloads.web.run.depends_on[1]",
        "db",
        "- api   # first\n",
        "- api   # first\n        - db\n",
    ),
    ("workloads.web.mode", "none", "- api   # first\n", "- api   # first\n    mode: none\n"),
    (
        "workloads.api.env.set.A",
        '"1"',
        "{target: deployment/api}",
        '{target: deployment/api, env: {set: {A: "1"}}}',
    ),
    (
        "workloads.db.target",
        "deployment/db",
        "  api: {target: deployment/api}\n",
        "  api: {target: deployment/api}\n  db:\n    target: deployment/db\n",
    ),
    ("forwards[1]", "1:a:1", "- 5432:postgres:5432\n", "- 5432:postgres:5432\n- 1:a:1\n"),
    ("socks", "1080", "- 5432:postgres:5432\n", "- 5432:postgres:5432\nsocks: 1080\n"),
    ("session.ttl", "30s", "5432:postgres:5432\n", "5432:postgres:5432\nsession:\n  ttl: 30s\n"),
    ('workloads."a.b".target', "b", "api}\n", "api}\n  a.b:\n    target: b\n"),
    ("x-true.yes.1", "a, b", "5432\n\n", '5432\nx-true:\n  yes:\n    "1": a, b\n\n'),
    ("workloads.api.env.set.B", "a, b", "api}\n", 'api, env: {set: {B: "a, b"}}}\n'),
]


@pytest.mark.parametrize(("path", "value", "old", "new"), CASES, ids=lambda one: one[:32])
def test_one_place_changes(path: str, value: str, old: str, new: str) -> None:
    """The text is the same but for the place that is set."""
    assert old in TEXT
    assert edit.set_value(TEXT, edit.path_of(path), value, file="f") == TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("", "version", "1", "version: 1\n"),
        ("# only this", "version", "1", "# only this\nversion: 1\n"),
        ("a:\r\n  b: 1\r\n", "a.c", "2", "a:\r\n  b: 1\r\n  c: 2\r\n"),
        ("a:\n", "a", "2", "a: 2\n"),
        ("a:   # why\n", "a.b", "2", "a: {b: 2}   # why\n"),
        ("a: |\n  text\n  more\nb: 1\n", "a", "x", "a: x\nb: 1\n"),
        ("a: 1", "b", "2", "a: 1\nb: 2"),
        ("a: {}\n", "a.b", "2", "a: {b: 2}\n"),
        ("a: []\n", "a[0]", "2", "a: [2]\n"),
        ("a: {b: 1,}\n", "a.c", "2", "a: {b: 1, c: 2}\n"),
        ("x: &x {b: 1}\na:\n  <<: *x\n  c: 1\n", "a.b", "2", None),
        ('a: "ü"   # ö\n', "a", "ä", "a: ä   # ö\n"),
    ],
    ids=str,
)
def test_odd_texts(text: str, path: str, value: str, expected: str | None) -> None:
    """Empty files, other line ends, empty values, blocks of text, merge keys."""
    found = edit.set_value(text, edit.path_of(path), value, file="f")
    assert found == (expected or text.replace("  c: 1\n", "  c: 1\n  b: 2\n"))


@pytest.mark.parametrize(
    ("text", "path", "value", "message"),
    [
        ("a: &a 1\nb: *a\n", "b", "2", "cannot be set by itself"),
        ("a: &a {c: 1}\nb: *a\n", "b.c", "2", "cannot be set by itself"),
        ("a: 1\n", "a.b", "2", "`a` is `1`, a single value"),
        ("a: [1]\n", "a[2]", "2", "`a` has no item `2`"),
        ("a: {b: 1}\n", "a[0]", "2", "`a` is a mapping"),
        ("a: 1\n", "a", "b: c", "the value is no word"),
        ("a: 1\n", "a", "[", "the value is no YAML"),
        ("a: 1\n", "a", "", "the value is empty"),
        ("a: 1\n", "a", "b\nc", "several lines"),
        ("a: 1\n", "", "1", "is no path"),
        ("a: 1\n", "a..b", "1", "is no path"),
        ("a: 1\n", "[0]", "1", "is no path"),
    ],
    ids=str,
)
def test_what_cannot_be_set_is_refused(text: str, path: str, value: str, message: str) -> None:
    """Nothing is guessed: an alias, a single value, no item, no value, no path."""
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        edit.set_value(text, edit.path_of(path), value, file="f")


@given(st.sampled_from(CASES), st.text(st.characters(codec="utf-8"), max_size=12))
def test_any_value_is_set_or_refused(case: tuple[str, str, str, str], value: str) -> None:
    """Whatever is typed, the comments stay, or an error of ours is raised."""
    try:
        found = edit.set_value(TEXT, edit.path_of(case[0]), value, file="f")
    except UsageError:
        return
    assert found.startswith("# the team's\n")
    assert found.endswith("\n# the end\n")
    assert "  # another\n" in found


def test_the_command_changes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file is changed; what would be wrong with the result is said, and not written."""
    monkeypatch.chdir(tmp_path)
    path = Path("telepresence.yaml")
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    path.chmod(0o640)
    run = CliRunner().invoke
    assert run(tp, ["config", "set", "workloads.web.mode", "none"]).exit_code == 2
    assert path.read_bytes() == b"\xef\xbb\xbf" + TEXT.encode()
    done = run(tp, ["config", "set", "workloads.web.strategy", "recreate"])
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    assert path.read_text(encoding="utf-8-sig").count("    strategy: recreate\n") == 1
    assert path.read_bytes().startswith(b"\xef\xbb\xbf# the")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_value_that_another_file_wins_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setting the team's value changes nothing where one's own file says something else."""
    monkeypatch.chdir(tmp_path)
    Path("telepresence.yaml").write_text(TEXT, encoding="utf-8")
    Path("telepresence.override.yaml").write_text("name: mine\n", encoding="utf-8")
    done = CliRunner().invoke(tp, ["config", "set", "name", "store"])
    assert done.exit_code == 0, done.stderr
    assert "telepresence.override.yaml:1:7 lies over it" in done.stderr
    done = CliRunner().invoke(
        tp, ["config", "-f", "telepresence.yaml", "set", "name", "other", "--json"]
    )
    assert (done.exit_code, done.stderr) == (0, "")
