"""Documents as bytes: what is no text, what is too much, and where things are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.config import codes, document, limits
from tpconfig.config.sources import Sources, flatten
from tpconfig.errors import Problem


def parse(content: bytes) -> tuple[Any, Sources]:
    """Return a valid document's data and places."""
    node, problems = document.parse(content, "t.yaml")
    assert not problems
    assert node is not None
    return flatten(node, lambda path: False)


def refused(content: bytes) -> Problem:
    """Return the one problem of a document that cannot be read."""
    node, problems = document.parse(content, "t.yaml")
    assert node is None
    assert len(problems) == 1
    return problems[0]


def position(problem: Problem) -> tuple[int, int]:
    """Return the line and column that a problem points at."""
    assert problem.source is not None
    return problem.source.line, problem.source.column


def test_byte_order_mark_is_no_character() -> None:
    """A mark in front of the file changes neither keys nor columns."""
    data, sources = parse(b"\xef\xbb\xbfname: shop\n")
    source = sources.source_of(("name",))
    assert data == {"name": "shop"}
    assert source is not None
    assert source.column == 7


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """Unix, Windows and old Mac line ends give the same lines and texts."""
    _, sources = parse(f"a: 1{end}b:{end}  c: x{end}".encode())
    source = sources.source_of(("b", "c"))
    assert source is not None
    assert (source.line, source.column, source.end_column) == (3, 6, 7)
    assert (source.text, source.before) == ("  c: x", "b:")


def test_columns_count_characters() -> None:
    """Umlauts and emoji in front of a value count as one column each."""
    _, sources = parse('{"äö🎉": x}'.encode())
    source = sources.source_of(("äö🎉",))
    assert source is not None
    assert (source.column, source.text[source.column - 1]) == (9, "x")


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"a: \xff", 1, 4),
        (b"a: 1\nb: \xc3(", 2, 4),
        (b"a: \xed\xa0\x80", 1, 4),
        (b"a: \x00", 1, 4),
        (b"a: 1\nb: \x1b[31m", 2, 4),
        ("a: 1\nbü: \x85\ufeff".encode(), 3, 1),
        (b"\x7f", 1, 1),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(content: bytes, line: int, column: int) -> None:
    """Bytes that are not UTF-8, NUL and control characters are shown where they are."""
    problem = refused(content)
    assert problem.code == codes.BAD_TEXT
    assert position(problem) == (line, column)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_are_named(encoding: str) -> None:
    """A file in UTF-16 or UTF-32 is told to be saved as UTF-8."""
    problem = refused("a: 1".encode(encoding))
    assert problem.code == codes.BAD_TEXT
    assert encoding.upper() in problem.message


BOMB = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)
)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 10_000,
        b"{a: " * 10_000,
        b"- " * 10_000,
        BOMB,
        b"&a [*a]",
        b"&a {<<: *a}",
        b"[" + b"a," * (limits.MAX_VALUES + 1) + b"]",
        b"x: &x {" + b",".join(b"k%d: 1" % n for n in range(1000)) + b"}\n"
        b"y: [" + b"{<<: *x}," * 100 + b"]",
        b"a" * (limits.MAX_BYTES + 1),
    ],
    ids=[
        "lists",
        "mappings",
        "dashes",
        "bomb",
        "loop",
        "merged loop",
        "many",
        "merged bomb",
        "large",
    ],
)
def test_too_much_is_refused(content: bytes) -> None:
    """Depth, size, number of values, and aliases that explode or recurse are bounded."""
    assert refused(content).code == codes.TOO_LARGE


def test_depth_within_the_limit_is_read() -> None:
    """Nesting up to the limit is no problem."""
    depth = limits.MAX_DEPTH - 1
    data, _ = parse(b"[" * depth + b"x" + b"]" * depth)
    for _ in range(depth):
        (data,) = data
    assert data == "x"


def test_an_alias_has_the_value_of_its_anchor() -> None:
    """Aliases in values and keys stand for what was written at the anchor."""
    data, _ = parse(b"&k a: &v [1, {x: y}]\nb: *v\n*k : 2\n".replace(b"*k : 2\n", b"c: *k\n"))
    assert data == {"a": [1, {"x": "y"}], "b": [1, {"x": "y"}], "c": "a"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("53:53", "53:53"),
        ("1:30:00", "1:30:00"),
        ("012", 12),
        ("0o14", 12),
        ("0x0C", 12),
        ("1_000", "1_000"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("n", "n"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("+", "+"),
        ("2026-11-01", "2026-11-01"),
        ("0b1", "0b1"),
        ("=", "="),
        ("<<", "<<"),
        ('"8080"', "8080"),
        ("'true'", "true"),
    ],
)
def test_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    """Unquoted words resolve by YAML 1.2's core schema, quoted ones are text."""
    data, _ = parse(f"a: {text}".encode())
    assert data["a"] == value
    assert type(data["a"]) is type(value)


def test_a_place_is_the_word_or_the_key() -> None:
    """A word is shown itself; mappings, lists and nothing are shown at their key."""
    _, sources = parse(b"a:\n  b: [x, yy]\n  c:\n  d: {e: f}\n")

    def at(*path: str | int) -> tuple[int, int, int]:
        source = sources.source_of(path)
        assert source is not None
        return source.line, source.column, source.end_column

    assert at("a") == (1, 1, 2)
    assert at("a", "b") == (2, 3, 4)
    assert at("a", "b", 1) == (2, 10, 12)
    assert at("a", "c") == (3, 3, 4)
    assert at("a", "d", "e") == (4, 10, 11)
    assert at("a", "d", "e", "not", 0, "there") == (4, 10, 11)
    assert at("nothing") == (1, 1, 3)


def test_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml the same document has the same data and places."""
    text = b"version: 1\nworkloads: {a: {target: 'x', expose: [53:53, \"80\"]}}\nb: |\n  c\n"
    fast = document.parse(text, "t")
    monkeypatch.setitem(__import__("sys").modules, "yaml._yaml", None)
    assert document.parse(text, "t") == fast


@given(st.binary(max_size=80))
def test_bytes_make_nothing_but_problems(content: bytes) -> None:
    """No bytes make the reader raise."""
    document.parse(content, "t")


PIECES = st.sampled_from(
    [
        *("a", "b: ", ": ", "- ", "\n", "  ", "\t", "{", "}", "[", "]", ",", "&x ", "*x ", "<<"),
        *("'", '"', "|", ">", "#", "!!int ", "!y ", "? ", "---\n", "...\n", "%", "1", "~", "\\"),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_pieces_of_yaml_make_nothing_but_problems(text: str) -> None:
    """No text made of YAML's own pieces makes the reader raise."""
    document.parse(text.encode(), "t")
