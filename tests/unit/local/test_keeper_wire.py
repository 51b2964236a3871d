"""Messages with descriptors."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tpconfig.local.inside import wire


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_text_that_is_no_text_survives(pair: tuple[socket.socket, socket.socket]) -> None:
    """Bytes that are no UTF-8 come back as they were."""
    wire.send(pair[0], {"value": os.fsdecode(b"\xff\n")})
    assert wire.Inbox(pair[1]).receive() == [({"value": os.fsdecode(b"\xff\n")}, ())]


def test_descriptors_find_their_message(pair: tuple[socket.socket, socket.socket]) -> None:
    """Descriptors of several messages that arrive together are told apart, and not inherited."""
    read_end, write_end = os.pipe()
    wire.send(pair[0], {"n": 1})
    wire.send(pair[0], {"n": 2}, (write_end,))
    wire.send(pair[0], {"n": 3}, (read_end, write_end))
    inbox, found = wire.Inbox(pair[1]), []
    while len(found) < 3:
        found += inbox.receive() or []
    assert [len(descriptors) for _, descriptors in found] == [0, 1, 2]
    os.write(found[1][1][0], b"x")
    assert os.read(found[2][1][0], 9) == b"x"
    assert not any(os.get_inheritable(d) for _, descriptors in found for d in descriptors)
    for descriptor in (read_end, write_end, *found[1][1], *found[2][1]):
        os.close(descriptor)


def test_messages_in_pieces_are_put_together(pair: tuple[socket.socket, socket.socket]) -> None:
    """A message is given when its last byte has come."""
    inbox = wire.Inbox(pair[1])
    header, body = wire.encode({"n": 1})
    results = []
    for byte in header + body:
        pair[0].send(bytes([byte]))
        results.append(inbox.receive())
    assert results == [[]] * (len(header + body) - 1) + [[({"n": 1}, ())]]


def test_the_end_is_told_apart_from_silence(pair: tuple[socket.socket, socket.socket]) -> None:
    """A closed socket gives None."""
    pair[0].close()
    assert wire.Inbox(pair[1]).receive() is None


def test_a_stranger_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    """Bytes that are no message do not make memory grow."""
    pair[0].send(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ValueError, match="not a message"):
        wire.Inbox(pair[1]).receive()
