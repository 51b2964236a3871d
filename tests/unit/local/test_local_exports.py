"""Environment files, as their readers' own rules say: written exactly, or the name told."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.errors import TpError
from tpconfig.local import exports

CASES = [
    # format, value, the line, or None where there is no way
    ("dotenv", "plain", "K='plain'"),
    ("dotenv", "", "K=''"),
    ("dotenv", "two\nlines", "K='two\nlines'"),
    ("dotenv", 'say "hi" $HOME # no', "K='say \"hi\" $HOME # no'"),
    ("dotenv", "it's", 'K="it\'s"'),
    ("dotenv", "it's $5", None),
    ("dotenv", "${HOME}", None),
    ("dotenv", r"C:\x", r"K='C:\x'"),
    ("dotenv", r"a\\b", None),
    ("dotenv", "end\\", None),
    ("dotenv", "cr\r\n", None),
    ("docker", "a 'b' \"c\" $d #e", "K=a 'b' \"c\" $d #e"),
    ("docker", " spaces ", "K= spaces "),
    ("docker", "two\nlines", None),
    ("docker", "end\r", None),
    ("docker", "x" * 70000, None),
    ("compose", 'a "b" $c \\ \n\r', 'K="a \\"b\\" \\$c \\\\ \n\\r"'),
    ("shell", "it's\n$5", "export K='it'\\''s\n$5'"),
    ("fish", "it's \\", "set -gx K 'it\\'s \\\\'"),
    ("powershell", "it's ‘so’", "${env:K} = 'it''s ‘‘so’’'"),
    ("powershell", "", None),
    ("vscode", "two\nlines", 'K="two\\nlines"'),
    ("vscode", "it's", 'K="it\'s"'),
    ("vscode", 'say "hi"', "K='say \"hi\"'"),
    ("vscode", '"two"\nlines', None),
    ("vscode", "${HOME}", None),
    ("vscode", r"C:\new", None),
    ("vscode", r"C:\x", r"K='C:\x'"),
    ("intellij", ' it\'s "x" # y ', "K=' it's \"x\" # y '"),
    ("intellij", "two\nlines", None),
]


@pytest.mark.parametrize(("form", "value", "line"), CASES)
def test_lines(form: str, value: str, line: str | None) -> None:
    """Each value is written as the table says, or its name is told."""
    rendered = exports.render({"K": value}, form)
    text = rendered.content.decode().removeprefix("\ufeff")
    assert (text, rendered.inexpressible) == (("", ("K",)) if line is None else (line + "\n", ()))


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("shell", "my.key"),
        ("shell", "UID"),
        ("fish", "status"),
        ("fish", "my-key"),
        ("docker", "#key"),
        ("docker", "a b"),
        ("dotenv", "1st"),
        ("vscode", "my.key"),
        ("powershell", "a}b"),
    ],
)
def test_names_that_a_format_cannot_set_are_told(form: str, name: str) -> None:
    """A name that the reader refuses or takes for itself is not written."""
    assert exports.render({name: "x"}, form) == exports.Rendered(
        exports.render({}, form).content, (name,)
    )


@pytest.mark.parametrize("form", [form for form in exports.FORMATS if form != "shell"])
def test_bytes_that_are_no_text_are_told(form: str) -> None:
    """Only a shell takes any bytes; every other format names the key."""
    rendered = exports.render({"ODD": os.fsdecode(b"\xff"), "A": "1"}, form)
    assert rendered.inexpressible == ("ODD",)
    assert b"A" in rendered.content


def test_shell_takes_any_bytes() -> None:
    """A value that is no UTF-8 is written as its bytes."""
    assert exports.render({"ODD": os.fsdecode(b"\xff")}, "shell").content == b"export ODD='\xff'\n"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text()))
def test_json_comes_back(variables: dict[str, str]) -> None:
    """What a JSON reader reads is what was written, in UTF-8."""
    rendered = exports.render(variables, "json")
    expressible = {k: v for k, v in variables.items() if k not in rendered.inexpressible}
    assert json.loads(rendered.content) == expressible


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=5))
def test_yaml_comes_back(variables: dict[str, str]) -> None:
    """What a YAML 1.1 reader reads is what was written: no base 60, no booleans, no lost space."""
    rendered = exports.render(variables, "yaml")
    expressible = {k: v for k, v in variables.items() if k not in rendered.inexpressible}
    assert yaml.safe_load(rendered.content) == expressible


def test_powershell_files_have_a_byte_order_mark() -> None:
    """Windows PowerShell would read them in the machine's code page otherwise."""
    assert exports.render({"K": "ä"}, "powershell").content.startswith(b"\xef\xbb\xbf${env:K}")


def test_order_is_kept() -> None:
    """Variables are written in the order in which they come."""
    assert exports.render({"B": "1", "A": "2"}, "dotenv").content == b"B='1'\nA='2'\n"


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """A written file has mode 0600, even over one that had more."""
    path = tmp_path / ".env"
    path.touch(0o644)
    exports.write(path, b"A=1\n")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"A=1\n", 0o600)


def test_files_are_replaced_in_one_step(tmp_path: Path) -> None:
    """The old file is never half written: another takes its place, and no draft is left."""
    path = tmp_path / ".env"
    exports.write(path, b"old")
    before = path.stat().st_ino
    exports.write(path, b"new")
    assert (path.stat().st_ino != before, os.listdir(tmp_path)) == (True, [".env"])


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    """Who watches the file is not woken for nothing."""
    path = tmp_path / ".env"
    assert (exports.write(path, b"x"), exports.write(path, b"x")) == (True, False)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Where the path is a symbolic link, the file that it means is written."""
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    exports.write(link, b"x")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"x")


def test_unwritable_place_is_an_error_with_the_path(tmp_path: Path) -> None:
    """A folder that is none is said, with the path that was asked for."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / ".env"
    with pytest.raises(TpError, match=f"cannot write {path}: Not a directory"):
        exports.write(path, b"x")
