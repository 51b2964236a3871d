"""Datagrams in a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.mux.datagrams import MAX_DATAGRAM, Unpacker, pack


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 200)))
def test_datagrams_keep_their_edges(datagrams: list[bytes], cuts: list[int]) -> None:
    """However the stream is cut, each datagram comes out as it went in."""
    wire = b"".join(pack(datagram) for datagram in datagrams)
    unpacker = Unpacker()
    received: list[bytes] = []
    for cut in cuts:
        received += unpacker.feed(wire[:cut])
        wire = wire[cut:]
    received += unpacker.feed(wire)
    assert received == datagrams
    assert unpacker.held == 0


def test_the_wire_is_a_length_and_the_bytes() -> None:
    """The length stands in front, 16 bits, the high byte first."""
    assert pack(b"abc") == b"\x00\x03abc"


def test_the_largest_datagram_fits() -> None:
    """65,535 bytes are a datagram."""
    datagram = bytes(MAX_DATAGRAM)
    assert Unpacker().feed(pack(datagram)) == [datagram]


def test_a_larger_one_does_not() -> None:
    """65,536 bytes are not."""
    with pytest.raises(ValueError, match="65536"):
        pack(bytes(MAX_DATAGRAM + 1))


def test_what_is_cut_off_shows() -> None:
    """At the stream's end one can tell that a datagram is incomplete."""
    unpacker = Unpacker()
    assert unpacker.feed(b"\x00\x05abc") == []
    assert unpacker.held == 5
