"""Interpolation and ``.env``, where a whole document would say less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.config import codes, dotenv, limits
from tpconfig.config.interpolate import Interpolation
from tpconfig.config.nodes import Interpolated, ListNode, ScalarNode
from tpconfig.source import Source

HERE = Source("t", 1, 1, 2)


def interpolate(text: str, *, plain: bool = True, **variables: str) -> tuple[object, list[str]]:
    """Return a value's new value and the codes of the problems."""
    work = Interpolation(lambda: variables)
    node = work.apply(ScalarNode(text, text, plain, HERE))
    assert isinstance(node, ScalarNode)
    return node.value, [problem.code for problem in work.problems]


def test_variables_of_unquoted_values_are_marked() -> None:
    """What came out of ``${…}`` without quotes may become a number later."""
    value, _ = interpolate("${A}", A="1")
    assert isinstance(value, Interpolated)


def test_variables_of_quoted_values_are_text() -> None:
    """What came out of ``${…}`` in quotes stays text."""
    value, _ = interpolate("${A}", plain=False, A="1")
    assert type(value) is str


def test_an_escape_alone_makes_no_number() -> None:
    """A value with ``$$`` only is text as it was before."""
    value, _ = interpolate("$$1")
    assert (value, type(value)) == ("$1", str)


def test_values_are_not_interpolated_again() -> None:
    """A variable whose value looks like a variable is taken literally."""
    assert interpolate("${A}", A="${B}", B="x") == ("${B}", [])


def test_a_message_may_hold_anything_but_a_brace() -> None:
    """The message of ``:?`` is not interpolated."""
    work = Interpolation(dict)
    work.apply(ScalarNode("${A:?see $$ and ${B}", "", True, HERE))
    assert work.problems[0].message == "the variable `A` is not set: see $$ and ${B"


def test_defaults_nest_only_so_deep() -> None:
    """Defaults in defaults are bounded."""
    text = "${A:-" * 20 + "x" + "}" * 20
    assert interpolate(text)[1] == [codes.BAD_INTERPOLATION]


def test_variables_are_looked_up_only_when_asked_for() -> None:
    """Without ``${`` nobody asks for variables, so no ``.env`` is read."""

    def lookup() -> dict[str, str]:
        raise AssertionError("not needed")

    work = Interpolation(lookup)
    assert work.apply(ScalarNode("a $b $$", "", True, HERE)) is not None


def test_all_values_together_are_bounded() -> None:
    """A large variable in many values is refused before it fills the memory."""
    node = ScalarNode("${A}", "${A}", True, HERE)
    work = Interpolation(lambda: {"A": "x" * (limits.MAX_INTERPOLATED // 10)})
    work.apply(ListNode((node,) * 20, HERE, 21))
    assert {problem.code for problem in work.problems} == {codes.TOO_LARGE}


@given(
    st.lists(st.sampled_from(["${", "}", "A", "B", ":-", ":?", "$$", "$", " ", "-"])).map("".join)
)
def test_any_text_is_a_value_or_a_problem(text: str) -> None:
    """No text makes interpolation raise."""
    interpolate(text, A="1")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("  A = b ", "b"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=b # c", "b"),
        ("A=b#c", "b#c"),
        ("A='b # c'", "b # c"),
        ("A='b' # c", "b"),
        ('A="b\\nc\\"d"', 'b\nc"d'),
        ('A="b\nc"', "b\nc"),
        ("A='b\nc'", "b\nc"),
        ("A=$B ${C}", "$B ${C}"),
        ("A=b=c", "b=c"),
        ("A=b\r\nB=c", "b"),
    ],
)
def test_lines_of_dotenv(line: str, value: str) -> None:
    """Quotes, comments, ``export`` and several lines are read as docker compose reads them."""
    values, notes = dotenv.parse(line.encode(), ".env")
    assert (values["A"], notes) == (value, [])


@pytest.mark.parametrize("line", ["what", "A", "1A=b", "A='b", 'A="b', "A='b' c", "=b"])
def test_lines_that_are_none_are_noted(line: str) -> None:
    """A line that cannot be read is left out, and the others are read."""
    values, notes = dotenv.parse(f"X=1\n{line}\nY=2\n".encode(), ".env")
    assert values["X"] == "1"
    assert values["Y"] == "2"
    assert [(note.code, note.source.line) for note in notes if note.source] == [
        (codes.BAD_DOTENV_LINE, 2)
    ]


def test_a_dotenv_that_is_no_text_is_noted() -> None:
    """A ``.env`` in another encoding gives a note and no variables."""
    values, notes = dotenv.parse(b"A=\xff", ".env")
    assert (values, [note.code for note in notes]) == ({}, [codes.BAD_TEXT])


@given(st.binary(max_size=60))
def test_any_dotenv_is_read(content: bytes) -> None:
    """No bytes make the reader of ``.env`` raise."""
    dotenv.parse(content, ".env")
