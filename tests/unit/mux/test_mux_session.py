"""Dialogues between real sessions: what goes in on one side, what comes out on the other."""

from __future__ import annotations

import pytest

from tpconfig.mux.session import (
    DataReceived,
    Event,
    GoneAway,
    Pong,
    Role,
    SendWindowOpened,
    Session,
    SessionClosedError,
    StreamClosedError,
    StreamFinished,
    StreamOpened,
    StreamReset,
    WindowExhausted,
)
from tpconfig.mux.window import YAMUX_WINDOW


class Talk:
    """A client and a server; ``carry`` takes what one says to the other."""

    def __init__(self) -> None:
        self.client = Session(Role.CLIENT)
        self.server = Session(Role.SERVER)

    def up(self) -> list[Event]:
        """Carry the client's words to the server and return what happened there."""
        self.server.receive_data(self.client.data_to_send())
        return self.server.events_received()

    def down(self) -> list[Event]:
        """Carry the server's words to the client and return what happened there."""
        self.client.receive_data(self.server.data_to_send())
        return self.client.events_received()

    def opened(self) -> int:
        """A stream that both know of."""
        stream_id = self.client.open()
        self.up()
        self.down()
        return stream_id


@pytest.fixture
def talk() -> Talk:
    """Two fresh ends."""
    return Talk()


def test_data_travels_with_the_opening(talk: Talk) -> None:
    """The opener sends at once; the acceptor sees the stream and its bytes together."""
    stream_id = talk.client.open()
    talk.client.send(stream_id, b"tcp orders 5432\n")
    assert talk.up() == [StreamOpened(1), DataReceived(1, b"tcp orders 5432\n")]


def test_ids_are_odd_and_even(talk: Talk) -> None:
    """The client opens odd streams, the server even ones."""
    assert [talk.client.open(), talk.client.open()] == [1, 3]
    assert [talk.server.open(), talk.server.open()] == [2, 4]


def test_the_server_opens_streams_too(talk: Talk) -> None:
    """Either end may open."""
    stream_id = talk.server.open()
    talk.server.send(stream_id, b"hi")
    assert talk.down() == [StreamOpened(2), DataReceived(2, b"hi")]
    talk.client.send(2, b"yo")
    assert talk.up() == [DataReceived(2, b"yo")]


def test_half_close_works_both_ways(talk: Talk) -> None:
    """After one end's FIN the other end still sends; the second FIN closes."""
    stream_id = talk.opened()
    talk.client.finish(stream_id)
    assert talk.up() == [StreamFinished(1)]
    talk.server.send(stream_id, b"late")
    assert talk.down() == [DataReceived(1, b"late")]
    talk.server.finish(stream_id)
    assert talk.down() == [StreamFinished(1)]
    assert (talk.client.stream_count, talk.server.stream_count) == (0, 0)


def test_fin_before_the_answer(talk: Talk) -> None:
    """The opener may finish before it heard anything."""
    stream_id = talk.client.open()
    talk.client.send(stream_id, b"q")
    talk.client.finish(stream_id)
    assert talk.up() == [StreamOpened(1), DataReceived(1, b"q"), StreamFinished(1)]
    talk.server.send(1, b"a")
    talk.server.finish(1)
    assert talk.down() == [DataReceived(1, b"a"), StreamFinished(1)]
    assert talk.client.stream_count == 0


def test_reset_is_reset_on_the_other_end(talk: Talk) -> None:
    """RST ends the stream at once on both ends."""
    stream_id = talk.opened()
    talk.server.reset(stream_id)
    assert talk.down() == [StreamReset(1)]
    assert (talk.client.stream_count, talk.server.stream_count) == (0, 0)


def test_resets_that_cross_are_no_error(talk: Talk) -> None:
    """Both ends may reset at the same moment."""
    stream_id = talk.opened()
    talk.client.reset(stream_id)
    talk.server.reset(stream_id)
    assert talk.up() == []
    assert talk.down() == []


def test_bytes_for_a_reset_stream_are_ignored(talk: Talk) -> None:
    """What was under way when the stream was reset does no harm."""
    stream_id = talk.opened()
    talk.server.reset(stream_id)
    talk.client.send(stream_id, b"under way")
    talk.client.finish(stream_id)
    assert talk.up() == []


def test_reset_of_a_gone_stream_is_nothing(talk: Talk) -> None:
    """A second reset says nothing."""
    stream_id = talk.opened()
    talk.client.reset(stream_id)
    talk.client.data_to_send()
    talk.client.reset(stream_id)
    assert talk.client.data_to_send() == b""


def test_no_bytes_without_credit(talk: Talk) -> None:
    """The window of 256 KiB can be used up, and not overdrawn."""
    stream_id = talk.client.open()
    assert talk.client.send_budget(stream_id) == YAMUX_WINDOW
    talk.client.send(stream_id, bytes(YAMUX_WINDOW))
    assert talk.client.send_budget(stream_id) == 0
    with pytest.raises(WindowExhausted):
        talk.client.send(stream_id, b"x")


def test_credit_comes_back_when_the_bytes_are_taken(talk: Talk) -> None:
    """The sender gets its budget back only for what the receiver's application took."""
    stream_id = talk.client.open()
    talk.client.send(stream_id, bytes(YAMUX_WINDOW))
    talk.up()
    assert talk.down() == []
    talk.server.consumed(stream_id, YAMUX_WINDOW)
    assert talk.down() == [SendWindowOpened(1)]
    assert talk.client.send_budget(stream_id) == YAMUX_WINDOW


def test_small_credit_is_saved_up(talk: Talk) -> None:
    """Less than a quarter of a window is not worth a frame."""
    stream_id = talk.opened()
    talk.client.send(stream_id, bytes(YAMUX_WINDOW // 4))
    talk.up()
    talk.server.consumed(stream_id, YAMUX_WINDOW // 4 - 1)
    assert not talk.server.wants_to_send
    talk.server.consumed(stream_id, 1)
    assert talk.down() == [SendWindowOpened(1)]


def test_more_than_arrived_cannot_be_consumed(talk: Talk) -> None:
    """A caller that gives back too much hears of it."""
    stream_id = talk.opened()
    talk.client.send(stream_id, b"12")
    talk.up()
    with pytest.raises(ValueError, match="not outstanding"):
        talk.server.consumed(stream_id, 3)


def test_no_credit_for_a_finished_peer(talk: Talk) -> None:
    """Who has said FIN needs no credit."""
    stream_id = talk.opened()
    talk.client.send(stream_id, bytes(YAMUX_WINDOW))
    talk.client.finish(stream_id)
    talk.up()
    talk.server.consumed(stream_id, YAMUX_WINDOW)
    assert not talk.server.wants_to_send


def test_ping_is_answered_with_its_value(talk: Talk) -> None:
    """A pong carries the value of the ping."""
    talk.client.ping()
    value = talk.client.ping()
    talk.up()
    assert Pong(value) in talk.down()


def test_go_away_stops_new_streams_only(talk: Talk) -> None:
    """After GO_AWAY what is open goes on, and neither end opens more."""
    stream_id = talk.opened()
    talk.server.go_away()
    assert talk.down() == [GoneAway(0)]
    talk.client.send(stream_id, b"still")
    assert talk.up() == [DataReceived(1, b"still")]
    for end in (talk.client, talk.server):
        with pytest.raises(SessionClosedError):
            end.open()


def test_an_opening_that_crosses_go_away_is_reset(talk: Talk) -> None:
    """A stream opened before GO_AWAY was heard is reset."""
    talk.server.go_away()
    stream_id = talk.client.open()
    talk.client.send(stream_id, b"x")
    assert talk.up() == []
    assert talk.down() == [GoneAway(0), StreamReset(1)]


def test_streams_past_the_limit_are_reset() -> None:
    """The peer's stream that is one too many is reset; room is made by closing one."""
    client, server = Session(Role.CLIENT), Session(Role.SERVER, max_streams=2)
    ids = [client.open() for _ in range(3)]
    client.send(ids[2], b"ignored")
    server.receive_data(client.data_to_send())
    assert server.events_received() == [StreamOpened(1), StreamOpened(3)]
    client.receive_data(server.data_to_send())
    assert client.events_received() == [StreamReset(5)]
    client.reset(1)
    client.open()
    server.receive_data(client.data_to_send())
    assert server.events_received() == [StreamReset(1), StreamOpened(7)]


@pytest.mark.parametrize("call", ["send", "finish"])
def test_a_finished_stream_takes_no_more(talk: Talk, call: str) -> None:
    """Sending or finishing after FIN, or on a gone stream, is the caller's mistake."""
    stream_id = talk.opened()
    talk.client.finish(stream_id)
    arguments = (b"x",) if call == "send" else ()
    for gone_or_finished in (stream_id, 99):
        with pytest.raises(StreamClosedError):
            getattr(talk.client, call)(gone_or_finished, *arguments)
    assert talk.client.send_budget(stream_id) == 0


def test_a_bytearray_may_change_after_send(talk: Talk) -> None:
    """What was sent is what it was at that moment."""
    stream_id = talk.client.open()
    data = bytearray(b"then")
    talk.client.send(stream_id, data)
    data[:] = b"now!"
    assert DataReceived(1, b"then") in talk.up()
