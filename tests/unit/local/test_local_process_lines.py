"""Cutting output into lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tpconfig.local.process import LineSplitter


def test_a_line_is_whole_whatever_the_pieces() -> None:
    """A line that comes in pieces is given once, without its newline."""
    lines = LineSplitter()
    assert [lines.feed(piece) for piece in (b"one\ntw", b"o", b"\n\n")] == [
        [b"one"],
        [],
        [b"two", b""],
    ]


def test_what_has_no_end_is_flushed() -> None:
    """The last words without a newline are a line of their own, once."""
    lines = LineSplitter()
    lines.feed(b"prompt> ")
    assert (lines.flush(), lines.flush()) == ([b"prompt> "], [])


def test_a_line_without_an_end_comes_in_pieces() -> None:
    """No more than the limit is held."""
    lines = LineSplitter(limit=4)
    assert (lines.feed(b"0123456789"), lines.flush()) == ([b"0123", b"4567"], [b"89"])


@given(st.lists(st.binary(max_size=20)), st.integers(1, 30))
def test_no_byte_is_lost(pieces: list[bytes], limit: int) -> None:
    """Every byte but the newlines is given, in order."""
    lines = LineSplitter(limit)
    given_ = [line for piece in pieces for line in lines.feed(piece)] + lines.flush()
    assert b"".join(given_) == b"".join(pieces).replace(b"\n", b"")


def test_a_line_past_the_limit_comes_in_pieces_wherever_it_ends() -> None:
    """Its end may come in the same piece of data as its beginning, or later."""
    whole, parts = LineSplitter(4), LineSplitter(4)
    assert whole.feed(b"123456789\nab\n\n") == [b"1234", b"5678", b"9", b"ab", b""]
    assert parts.feed(b"12345") == [b"1234"]
    assert parts.feed(b"6789\n") == [b"5678", b"9"]
