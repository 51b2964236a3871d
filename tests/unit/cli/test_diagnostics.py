"""Errors as text: the layout of the style page, and nothing that a terminal would obey."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.cli import diagnostics_json
from tpconfig.cli.diagnostics import render, render_problem, render_problems
from tpconfig.errors import ConfigError, ConflictError, Problem, TpError, UsageError
from tpconfig.model.plan import Blocker, Fault, Plan
from tpconfig.session import errors_json, verdicts
from tpconfig.source import Source

PROT = Source(
    "telepresence.yaml", 5, 5, 9, text="    prot: tcp", before="    target: deployment/api"
)
UNKNOWN = Problem("TP104", "unknown key `prot` in workloads.api", PROT, "did you mean `port`?")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def lines(text: str) -> list[str]:
    """Return the lines of a text that is written with a margin."""
    return [line[8:] for line in text.strip("\n").split("\n")]


def test_a_problem_shows_its_line_and_what_to_write() -> None:
    """Summary, place, the line with the one before it, a caret under the range with the label."""
    assert render(ConfigError([UNKNOWN]), color=False).split("\n") == lines(
        """
        error: unknown key `prot` in workloads.api
          ╷ telepresence.yaml:5:5
          │   4 │     target: deployment/api
          │   5 │     prot: tcp
          │     │     ^^^^ did you mean `port`?
          ╵
        """.rstrip()
    )


def test_several_problems_are_counted() -> None:
    """All problems are shown, then how many there are."""
    other = Problem("TP101", "there is no file x", hint="name it with -f FILE")
    assert render(ConfigError([UNKNOWN, other]), color=False).split("\n")[-3:] == [
        "error: there is no file x",
        "  ╵ hint: name it with -f FILE",
        "2 problems",
    ]


def test_a_related_place_and_a_hint_follow() -> None:
    """Further places stand in the same frame with dashes, the hint closes it."""
    first = Source("telepresence.yaml", 1, 1, 5, text="name: a")
    second = replace(first, line=12, text="name: b", before="")
    problem = Problem(
        "TP105", "`name` is there twice", second, "again here", "remove one", (("first", first),)
    )
    assert render_problem(problem, color=False).split("\n") == lines(
        """
        note: `name` is there twice
          ╷ telepresence.yaml:12:1
          │  11 │
          │  12 │ name: b
          │     │ ^^^^ again here
          ├ telepresence.yaml:1:1
          │   1 │ name: a
          │     │ ---- first
          ╵ hint: remove one
        """.rstrip()
    )


def test_an_error_of_the_cluster_shows_details_and_who_asked() -> None:
    """Details stand in the frame, the line that asked for it behind the last one."""
    error = ConflictError(
        "cannot swap deployment/api in namespace dev",
        details=["held by session 7f3a of anna@thinkpad, renewed 4 s ago"],
        source=Source("telepresence.yaml", 2, 3, 6, text="  api:"),
        hint="wait for it with --on-conflict wait",
    )
    assert render(error, color=False).split("\n") == lines(
        """
        error: cannot swap deployment/api in namespace dev
          │ held by session 7f3a of anna@thinkpad, renewed 4 s ago        (wanted by telepresence.yaml:2:3)
          ╵ hint: wait for it with --on-conflict wait
        """.rstrip()  # noqa: E501
    )


def test_an_error_without_details_shows_the_line_that_asked() -> None:
    """With a place and nothing more to say, the line itself is quoted."""
    error = UsageError("there is no namespace `dev`", source=PROT, hint="did you mean `shop`?")
    assert render(error, color=False).split("\n") == lines(
        """
        error: there is no namespace `dev`
          ╷ telepresence.yaml:5:5
          │   4 │     target: deployment/api
          │   5 │     prot: tcp
          │     │     ^^^^
          ╵ hint: did you mean `shop`?
        """.rstrip()
    )


def test_an_error_of_one_line_is_one_line() -> None:
    """An error without anything else has no frame."""
    assert render(TpError("no session is up"), color=False) == "error: no session is up"


def test_an_error_with_a_hint_has_two_lines() -> None:
    """The hint closes a frame that has nothing else in it."""
    text = render(TpError("no session is up", hint="start one: tp up -d"), color=False)
    assert text == "error: no session is up\n  ╵ hint: start one: tp up -d"


def test_further_lines_of_a_message_are_details() -> None:
    """A message of several lines keeps its first line as the summary."""
    text = render(TpError("first\nsecond"), color=False)
    assert text.split("\n") == ["error: first", "  │ second", "  ╵"]


def test_a_place_without_text_has_no_snippet() -> None:
    """Where the line itself is not known, the place alone is named."""
    problem = Problem("TP301", "no such port", Source("x.yaml", 3, 1, 2), "look here")
    assert render_problem(problem, color=False, word="warning").split("\n") == [
        "warning: no such port",
        "  ╷ x.yaml:3:1",
        "  │ look here",
        "  ╵",
    ]


def test_several_notes_follow_each_other() -> None:
    """Notes are shown one after the other."""
    text = render_problems([Problem("TP193", "one"), Problem("TP193", "two")], color=False)
    assert text == "note: one\nnote: two"


def caret_of(text: str) -> tuple[str, str]:
    """Return the quoted line and the line of carets below it, without the frame."""
    quoted, carets = text.split("\n")[-3:-1]
    return quoted.split(" │ ", 2)[2], carets.split(" │ ", 2)[2]


def test_the_caret_stands_below_wide_characters() -> None:
    """Characters of two columns move the caret by two, and are marked by two."""
    source = Source("t", 1, 3, 5, text="名x名前y")
    quoted, carets = caret_of(render_problem(Problem("TP1", "m", source), color=False))
    assert (quoted, carets) == ("名x名前y", "   ^^^^")


def test_the_caret_stands_below_tabs() -> None:
    """A tab is shown as four spaces, and the caret counts them."""
    source = Source("t", 1, 2, 3, text="\ta: b")
    quoted, carets = caret_of(render_problem(Problem("TP1", "m", source), color=False))
    assert (quoted, carets) == ("    a: b", "    ^")


@pytest.mark.parametrize("column", [1, 100, 5_000, 99_999])
def test_a_long_line_is_cut_around_the_range(column: int) -> None:
    """Of a very long line only the part around the range is shown, with the caret below it."""
    text = "x" * (column - 1) + "HERE" + "y" * (100_000 - column)
    source = Source("t", 1, column, column + 4, text=text)
    quoted, carets = caret_of(render_problem(Problem("TP1", "m", source), color=False))
    assert len(quoted) <= 110
    start = carets.index("^")
    assert quoted[start:].startswith("HERE")
    assert carets.count("^") == 4


def test_a_range_that_is_longer_than_the_line_is_cut() -> None:
    """Carets do not go on beyond what is shown."""
    source = Source("t", 1, 50, 5_000, text="x" * 6_000)
    quoted, carets = caret_of(render_problem(Problem("TP1", "m", source), color=False))
    assert len(carets) <= len(quoted) <= 110


def test_color_changes_nothing_but_color() -> None:
    """Without its colours the coloured text is the plain one."""
    problem = replace(UNKNOWN, hint="h", related=(("first", PROT),))
    for error in (ConfigError([problem, problem]), TpError("a", details=["b"], hint="c")):
        colored = render(error, color=True)
        assert "\x1b[" in colored
        assert ANSI.sub("", colored) == render(error, color=False)


def test_every_line_ends_its_color() -> None:
    """No colour reaches into the next line."""
    for line in render(ConfigError([replace(UNKNOWN, hint="h")]), color=True).split("\n"):
        codes = ANSI.findall(line)
        assert not codes or codes[-1] == "\x1b[0m"


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 40), st.integers(0, 10))
def test_nothing_that_a_terminal_obeys_comes_through(
    text: str, message: str, column: int, length: int
) -> None:
    """Control characters and marks that turn the direction of text become visible signs."""
    source = Source("t", 1, column, column + length, text=text, before=message)
    shown = render(
        ConfigError([Problem("TP1", message, source, text, message, ((text, source),))]),
        color=False,
    ) + render(TpError(message, hint=text, details=[text, message], source=source), color=False)
    dangerous = {
        character
        for character in shown
        if (unicodedata.category(character) in ("Cc", "Cs") and character != "\n")
        or unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "LRI", "RLI")
    }
    assert dangerous == set()


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.CONFLICT, "TP309"), (Fault.PERMISSION, "TP320"), (Fault.USAGE, "TP307")],
)
def test_what_blocks_a_plan_has_its_code(fault: Fault, code: str) -> None:
    """Whosever fault it is: the JSON has the stable code, also of a session that was asked."""
    plan = Plan(blockers=(Blocker(fault, Problem(code, "no", label="because")),))
    with pytest.raises(TpError) as caught:
        verdicts.raise_blockers(plan)
    asked = errors_json.from_json(json.loads(json.dumps(errors_json.to_json(caught.value))))
    for error in (caught.value, asked):
        found = json.loads(diagnostics_json.render(error))
        assert (found["code"], found["explain"]) == (code, f"tp explain {code}")
