"""The first lines of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.mux import opening
from tpconfig.mux.opening import (
    Accepted,
    Control,
    Dns,
    Files,
    LineReader,
    Opening,
    OpeningError,
    Refusal,
    Sftp,
    TcpFrom,
    TcpTo,
    UdpFrom,
    UdpTo,
)

LINES = {
    b"control\n": Control(),
    b"dns\n": Dns(),
    b"files\n": Files(),
    b"sftp\n": Sftp(),
    b"tcp orders.shop.svc 5432\n": TcpTo("orders.shop.svc", 5432),
    b"udp fd00::1%eth0 53\n": UdpTo("fd00::1%eth0", 53),
    b"tcp-in 8080 10.1.2.3 40000 10.9.9.9\n": TcpFrom(8080, "10.1.2.3", 40000, "10.9.9.9"),
    b"udp-in 53 ::1 1\n": UdpFrom(53, "::1", 1),
}


@pytest.mark.parametrize(("line", "value"), LINES.items(), ids=[str(line) for line in LINES])
def test_each_opening_has_its_line(line: bytes, value: Opening) -> None:
    """Every opening is written as the protocol says and read back."""
    assert opening.encode(value) == line
    assert opening.decode(line[:-1]) == value


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"tcp",
        b"tcp host",
        b"tcp host 0",
        b"tcp host 65536",
        b"tcp host -1",
        b"tcp host 8o",
        b"tcp host  80",
        b"tcp host 80 ",
        b"tcp ho\tst 80",
        b"tcp h\xc3\xb6st 80",
        b"tcp host \xd9\xa1",
        b"tcp " + b"h" * 256 + b" 80",
        b"TCP host 80",
        b"control x",
        b"tcp-in 80 host",
        b"ftp",
    ],
)
def test_other_lines_open_nothing(line: bytes) -> None:
    """What is no opening is an error, whatever it is."""
    with pytest.raises(OpeningError):
        opening.decode(line)


@pytest.mark.parametrize(
    "value",
    [TcpTo("", 80), TcpTo("a b", 80), TcpTo("a\nb", 80), TcpTo("h", 0), UdpTo("h", 65536)],
)
def test_what_a_line_cannot_carry_is_not_sent(value: Opening) -> None:
    """A host with white space or a port out of range never gets on the wire."""
    with pytest.raises(OpeningError):
        opening.encode(value)


@given(st.binary(max_size=100).filter(lambda line: b"\n" not in line))
def test_random_lines_raise_only_opening_errors(line: bytes) -> None:
    """Whatever the line is, nothing but OpeningError comes out, and what is read can be written."""
    try:
        value = opening.decode(line)
    except OpeningError:
        pass
    else:
        assert opening.decode(opening.encode(value)[:-1]) == value
    try:
        opening.decode_answer(line)
    except OpeningError:
        pass


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"ok\n", Accepted()),
        (b"error refused connection refused\n", Refusal("refused", "connection refused")),
        (b"error name \n", Refusal("name", "")),
    ],
)
def test_answers_have_their_lines(line: bytes, answer: opening.Answer) -> None:
    """Every answer is written as the protocol says and read back."""
    assert opening.encode_answer(answer) == line
    assert opening.decode_answer(line[:-1]) == answer


def test_an_unknown_code_is_unknown() -> None:
    """A code that this version does not know keeps its text."""
    assert opening.decode_answer(b"error teapot short and stout") == Refusal(
        "unknown", "short and stout"
    )


def test_a_refusal_stays_one_short_line() -> None:
    """Line ends in the text are folded and a long text is cut, within its characters."""
    line = opening.encode_answer(Refusal("unknown", "a\nb\r" + "ü" * 2000))
    assert line.startswith(b"error unknown a b ")
    assert line.count(b"\n") == 1
    assert len(line) <= opening.MAX_LINE
    assert line.decode().endswith("ü\n")


@pytest.mark.parametrize("line", [b"", b"OK", b"okay", b"error", b"ok "])
def test_other_lines_are_no_answer(line: bytes) -> None:
    """What is no answer is an error."""
    with pytest.raises(OpeningError):
        opening.decode_answer(line)


@given(st.binary(max_size=40), st.integers(0, 60))
def test_a_line_is_cut_off_exactly(rest: bytes, cut: int) -> None:
    """However the bytes arrive, the line is the line and the rest is left over."""
    wire = b"tcp host 80\n" + rest
    reader = LineReader()
    line = reader.feed(wire[:cut])
    behind = b""
    if line is None:
        line = reader.feed(wire[cut:])
    else:
        behind = wire[cut:]
    assert line == b"tcp host 80"
    assert reader.leftover + behind == rest


def test_a_line_may_be_as_long_as_the_limit() -> None:
    """1024 bytes with the end are a line."""
    line = b"x" * (opening.MAX_LINE - 1)
    reader = LineReader()
    assert reader.feed(line) is None
    assert reader.feed(b"\nrest") == line
    assert reader.leftover == b"rest"


@pytest.mark.parametrize("cut", [0, 1, 1000, 1023, 1024])
def test_a_longer_line_is_refused(cut: int) -> None:
    """One byte more is an error, however it arrives."""
    wire = b"x" * opening.MAX_LINE + b"\n"
    reader = LineReader()

    def feed() -> None:
        reader.feed(wire[:cut])
        reader.feed(wire[cut:])

    with pytest.raises(OpeningError):
        feed()
