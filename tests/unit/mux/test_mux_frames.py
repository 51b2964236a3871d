"""The wire format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.mux import frames
from tpconfig.mux.frames import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE


def read(*chunks: bytes) -> list[frames.Piece]:
    """Everything that one reader yields for ``chunks``."""
    reader = frames.FrameReader()
    return [piece for chunk in chunks for piece in reader.feed(chunk)]


def test_a_header_is_yamux() -> None:
    """Version, type, flags, stream id and length stand where yamux's specification puts them."""
    assert frames.encode(WINDOW_UPDATE, SYN | ACK, 0x01020304, 0x0A0B0C0D) == bytes.fromhex(
        "00 01 0003 01020304 0a0b0c0d"
    )


def test_whole_frames_come_out_whole() -> None:
    """Frames in one chunk come out one by one."""
    wire = frames.encode(DATA, SYN | FIN, 1, 3) + b"abc" + frames.encode(PING, ACK, 0, 7)
    assert read(wire) == [(DATA, SYN | FIN, 1, 3, b"abc"), (PING, ACK, 0, 7, b"")]


def test_a_cut_body_has_its_end_on_the_last_piece() -> None:
    """Opening flags ride on the first piece of a cut body and FIN on its last."""
    wire = frames.encode(DATA, SYN | FIN, 1, 6) + b"abcdef"
    assert read(wire[:14], wire[14:16], wire[16:]) == [
        (DATA, SYN, 1, 2, b"ab"),
        (DATA, 0, 1, 2, b"cd"),
        (DATA, FIN, 1, 2, b"ef"),
    ]


def test_flags_wait_for_the_first_byte_of_the_body() -> None:
    """A header whose body has not arrived yields nothing, and loses no flag."""
    wire = frames.encode(DATA, ACK | FIN, 1, 1)
    assert read(wire) == []
    assert read(wire, b"x") == [(DATA, ACK | FIN, 1, 1, b"x")]


def test_a_whole_chunk_of_body_is_not_copied() -> None:
    """A chunk that lies within a body is handed on as the same object."""
    reader = frames.FrameReader()
    chunk = bytes(1000)
    assert list(reader.feed(frames.encode(DATA, 0, 1, 5000))) == []
    assert next(reader.feed(chunk))[4] is chunk


@pytest.mark.parametrize(
    "wire",
    [
        bytes.fromhex("01 00 0000 00000001 00000000"),
        bytes.fromhex("00 04 0000 00000001 00000000"),
        bytes.fromhex("00 00 0010 00000001 00000000"),
        frames.encode(DATA, 0, 0, 0),
        frames.encode(WINDOW_UPDATE, 0, 0, 1),
        frames.encode(PING, SYN, 1, 0),
        frames.encode(GO_AWAY, 0, 1, 0),
    ],
    ids=["version", "type", "flags", "data on 0", "update on 0", "ping on 1", "go-away on 1"],
)
def test_an_impossible_header_is_an_error(wire: bytes) -> None:
    """Headers that yamux does not know are violations."""
    with pytest.raises(frames.ProtocolError):
        read(wire)


bodies = st.tuples(
    st.just(DATA), st.integers(0, 15), st.integers(1, frames.MAX_LENGTH), st.binary(max_size=64)
)
others = st.tuples(
    st.sampled_from([WINDOW_UPDATE]),
    st.integers(0, 15),
    st.integers(1, frames.MAX_LENGTH),
    st.integers(0, frames.MAX_LENGTH),
)


def merged(pieces: list[frames.Piece]) -> list[tuple[int, int, bytes]]:
    """Flags, stream and body of neighbouring DATA pieces of one stream, put together."""
    result: list[tuple[int, int, bytes]] = []
    for kind, flags, stream_id, _, body in pieces:
        last = result[-1] if result else None
        if kind == DATA and last and last[1] == stream_id and not flags & ~FIN and last[2]:
            result[-1] = (last[0] | flags, stream_id, last[2] + body)
        else:
            result.append((flags, stream_id, body))
    return result


@given(st.lists(st.one_of(bodies, others), max_size=6), st.lists(st.integers(1, 40)))
def test_cuts_of_the_pipe_do_not_matter(
    wanted: list[tuple[int, int, int, bytes | int]], cuts: list[int]
) -> None:
    """However the pipe cuts the bytes, the pieces say the same."""
    wire = b"".join(
        frames.encode(kind, flags, stream_id, len(rest)) + rest
        if isinstance(rest, bytes)
        else frames.encode(kind, flags, stream_id, rest)
        for kind, flags, stream_id, rest in wanted
    )
    chunks, position = [], 0
    for cut in cuts:
        chunks.append(wire[position : position + cut])
        position += cut
    chunks.append(wire[position:])
    assert merged(read(*chunks)) == merged(read(wire))


def test_flag_values_are_yamux() -> None:
    """The flags have yamux's values."""
    assert (SYN, ACK, FIN, RST) == (1, 2, 4, 8)
