"""WebSocket frames, against a second implementation where there is one."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp._websocket.reader_py import WebSocketReader
from aiohttp.http_websocket import WSMsgType
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.cluster import websocket
from tpconfig.cluster.websocket import Decoder, Piece, WebSocketError, encode


class Queue:
    """Takes what aiohttp's reader parsed."""

    def __init__(self) -> None:
        self.messages: list[tuple[Any, bytes]] = []
        self._size = 0
        self._limit = 2**31 - 1
        self._stalled_reader = None

    def feed_data(self, message: Any, size: int) -> None:
        self.messages.append((message.type, message.data))


def parsed_by_aiohttp(frame: bytes) -> tuple[Any, bytes]:
    queue = Queue()
    reader = WebSocketReader(queue, 0, False, True)  # type: ignore[arg-type]
    failed, _ = reader.feed_data(frame)
    assert not failed
    return queue.messages[0]


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """Return an unmasked frame, as a server sends it."""
    first = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return first + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return first + b"\x7f" + len(payload).to_bytes(8, "big") + payload


def joined(pieces: list[Piece]) -> list[tuple[int | None, int, bytes]]:
    """Join neighbouring pieces of the same channel."""
    out: list[tuple[int | None, int, bytes]] = []
    for channel, opcode, payload in pieces:
        if out and channel is not None and out[-1][0] == channel:
            out[-1] = (channel, opcode, out[-1][2] + payload)
        else:
            out.append((channel, opcode, payload))
    return out


@pytest.mark.parametrize("size", [0, 1, 3, 124, 125, 126, 65534, 65535, 65536, 200_000])
def test_frames_are_read_by_another_implementation(size: int) -> None:
    """A masked frame of any length form is what aiohttp's parser reads as well."""
    payload = bytes(number % 251 for number in range(size))
    encoded = bytes(encode(websocket.OP_BINARY, (b"\0", payload)))
    assert parsed_by_aiohttp(encoded) == (WSMsgType.BINARY, b"\0" + payload)


def test_parts_are_joined() -> None:
    """Whatever kinds of buffers a frame is made of, they follow one another."""
    parts = (b"a", bytearray(b"bc"), memoryview(b"def")[1:])
    assert parsed_by_aiohttp(bytes(encode(websocket.OP_BINARY, parts)))[1] == b"abcef"


def test_every_frame_has_a_mask_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6455 5.3: the masking key is new for each frame."""
    keys = Mock(side_effect=[b"abcd", b"efgh"])
    monkeypatch.setattr("os.urandom", keys)
    first, second = (bytes(encode(websocket.OP_BINARY, (b"xy",))) for _ in range(2))
    assert (first[2:6], second[2:6]) == (b"abcd", b"efgh")


@given(key=st.binary(min_size=4, max_size=4), payload=st.binary(max_size=300))
def test_fallback_masks_alike(key: bytes, payload: bytes) -> None:
    """The mask that needs no compiled code gives the same bytes."""
    slow, fast = bytearray(payload), bytearray(payload)
    websocket._mask_with_integers(key, slow)
    websocket.mask(key, fast)
    assert slow == fast == bytearray(b ^ key[i % 4] for i, b in enumerate(payload))


def test_channel_is_the_first_byte_of_a_message() -> None:
    """Two messages on two channels are told apart."""
    data = frame(2, b"\0hello") + frame(2, b"\1oops")
    assert Decoder().feed(data) == [Piece(0, 2, b"hello"), Piece(1, 2, b"oops")]


def test_half_a_frame_is_handed_on() -> None:
    """Payload does not wait for the end of its frame."""
    decoder, data = Decoder(), frame(2, b"\0hello")
    assert decoder.feed(data[:5]) == [Piece(0, 2, b"he")]
    assert decoder.feed(data[5:]) == [Piece(0, 2, b"llo")]


def test_continuation_stays_on_the_channel() -> None:
    """A fragmented message has one channel byte, at its very beginning."""
    data = (
        frame(2, b"", final=False)
        + frame(0, b"\0he", final=False)
        + frame(9, b"ping")
        + frame(0, b"llo")
        + frame(2, b"\1x")
    )
    assert Decoder().feed(data) == [
        Piece(0, 2, b"he"),
        Piece(None, 9, b"ping"),
        Piece(0, 2, b"llo"),
        Piece(1, 2, b"x"),
    ]


def test_empty_message_is_nothing() -> None:
    """A message without a channel byte says nothing."""
    assert Decoder().feed(frame(2, b"") + frame(2, b"\0a")) == [Piece(0, 2, b"a")]


@given(
    messages=st.lists(
        st.tuples(st.sampled_from([0, 1]), st.binary(min_size=1, max_size=200)), max_size=8
    ),
    cuts=st.lists(st.integers(min_value=1, max_value=64), min_size=1, max_size=40),
)
def test_any_cut_of_the_stream_gives_the_same(
    messages: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    """How the network cuts the bytes makes no difference."""
    data = b"".join(frame(2, bytes([channel]) + payload) for channel, payload in messages)
    data += frame(8, b"\x03\xe8bye")
    decoder, pieces, at = Decoder(), [], 0
    while at < len(data):
        size = cuts[at % len(cuts)]
        pieces += decoder.feed(data[at : at + size])
        at += size
    assert joined(pieces) == joined(Decoder().feed(data))


@pytest.mark.parametrize(
    "data",
    [
        b"\xc2\x01x",  # a reserved bit
        b"\x82\x81abcdx",  # a mask
        b"\x83\x01x",  # an unknown kind
        b"\x8b\x01x",  # an unknown control frame
        b"\x89\x7e\x00\x7e",  # a ping of 126 bytes
        b"\x09\x01x",  # a fragmented ping
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    """What no WebSocket server sends ends the connection."""
    with pytest.raises(WebSocketError):
        Decoder().feed(data)


def test_compiled_mask_is_found() -> None:
    """aiohttp's compiled function is where it is looked for, or the pipe is slower than needed."""
    assert websocket.mask is not websocket._mask_with_integers
