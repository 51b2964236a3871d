"""The short forms: what the functions read is what the schema's expressions match."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tpconfig.config import values

FORMS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "expose": (values.EXPOSE, values.expose),
    "target": (values.TARGET, values.target),
    "duration": (values.DURATION, values.duration_s),
    "forward": (values.FORWARD, values.forward),
    "destination": (values.DESTINATION, values.destination),
    "port": (values.PORT, values.port),
}
PIECES = st.sampled_from(
    [
        *"0159:/.-_*[]% aAzZé٣²\n",
        *("80", "65535", "65536", "tcp", "udp", "http", "ms", "s", "1.5", "::"),
        *("deployment", "sts", "10.0.0.0", "256", "fd00", "*.corp", "localhost"),
    ]
)


def reads(read: Callable[[str], Any], text: str) -> bool:
    """Say whether a function takes a text; it may raise nothing but its own problem."""
    try:
        read(text)
    except values.ValueProblem:
        return False
    return True


@pytest.mark.parametrize("form", FORMS)
def test_what_the_expression_matches_is_read(form: str) -> None:
    """Every text that matches the schema's expression is read."""
    pattern, read = FORMS[form]

    @given(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    def check(text: str) -> None:
        assert reads(read, text)

    check()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_read_matches_the_expression(form: str) -> None:
    """A text is read if and only if it matches the schema's expression."""
    pattern, read = FORMS[form]

    @given(st.lists(PIECES, max_size=7).map("".join))
    def check(text: str) -> None:
        assert reads(read, text) == (re.fullmatch(pattern, text) is not None)

    check()


@given(st.from_regex(re.compile(values.DURATION, re.ASCII), fullmatch=True))
@example("51ms")
@example("999999999h999999999h")
@example("123456789.987654321h")
def test_durations_survive_being_written(text: str) -> None:
    """Any duration that is written as text reads back as the very same number."""
    duration_s = values.duration_s(text)
    assert values.duration_s(values.duration_text(duration_s)) == duration_s


@pytest.mark.parametrize(
    ("text", "duration_s"), [("10s", 10.0), ("1m30s", 90.0), ("200ms", 0.2), ("1.5h", 5400.0)]
)
def test_durations_are_seconds(text: str, duration_s: float) -> None:
    """Hours, minutes, seconds and milliseconds come out as seconds."""
    assert values.duration_s(text) == pytest.approx(duration_s)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("*.Corp.example.com", {"host": "*.corp.example.com"}),
        ("10.20.0.0/16", {"network": "10.20.0.0/16"}),
        ("10.20.3.4/16", {"network": "10.20.0.0/16"}),
        (":5432", {"port": 5432}),
        ("[fd00::/8]:443", {"network": "fd00::/8", "port": 443}),
        ("fd00::1", {"network": "fd00::1/128"}),
        ("10.0.0.1:80", {"network": "10.0.0.1/32", "port": 80}),
        ("github.com:22", {"host": "github.com", "port": 22}),
    ],
)
def test_destinations_are_taken_apart(text: str, parts: dict[str, Any]) -> None:
    """A rule of ``outbound`` is a host pattern or a network, a port, or both."""
    assert values.destination(text) == parts


def test_a_long_text_makes_a_short_message() -> None:
    """A message quotes only the beginning of what somebody wrote."""
    with pytest.raises(values.ValueProblem) as caught:
        values.duration_s("x" * 100_000)
    assert len(caught.value.message) < 300
