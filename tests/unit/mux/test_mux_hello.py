"""The handshake: two real ends, wrong ends, and noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.mux.hello import MAX_LINE, ClientHello, HelloError, ServerHello, Standing

SECRET = bytes(range(32))


def client(secret: bytes = SECRET, session: str = "7f3a", version: str = "0.1.0") -> ClientHello:
    """A client's end."""
    return ClientHello(secret, session, version, nonce=b"c" * 32)


def server(secret: bytes = SECRET, session: str = "7f3a", version: str = "0.1.0") -> ServerHello:
    """An agent's end."""
    return ServerHello(secret, session, version, ("uvloop", "udp"), nonce=b"s" * 32)


def greet(one: ClientHello, other: ServerHello) -> None:
    """Carry greeting and hello, and answer; the welcome is still to be carried."""
    one.receive_data(other.data_to_send())
    other.receive_data(one.data_to_send())
    other.welcome("abc-1", 0)


def test_both_ends_get_to_know_each_other() -> None:
    """With the same secret both are done after one round trip, and know what the other is."""
    one, other = client(), server()
    greet(one, other)
    assert other.done
    assert not one.done
    one.receive_data(other.data_to_send())
    assert one.done
    assert (one.peer_version, one.peer_capabilities) == ("0.1.0", ("uvloop", "udp"))
    assert other.peer_version == "0.1.0"
    assert one.data_to_send() == other.data_to_send() == b""


def test_no_capabilities_are_none() -> None:
    """An agent without capabilities has an empty tuple of them."""
    one, other = client(), ServerHello(SECRET, "7f3a", "0.1.0")
    greet(one, other)
    one.receive_data(other.data_to_send())
    assert one.peer_capabilities == ()


def test_nothing_secret_is_on_the_wire() -> None:
    """The secret does not travel, as bytes or as hex."""
    one, other = client(), server()
    wire = other.data_to_send()
    one.receive_data(wire)
    said = one.data_to_send()
    other.receive_data(said)
    wire += said + other.data_to_send()
    assert SECRET not in wire
    assert SECRET.hex().encode() not in wire


def test_the_first_mux_bytes_are_left_over() -> None:
    """What the server sends right behind its welcome is not lost, nor is what comes later."""
    one, other = client(), server()
    greet(one, other)
    one.receive_data(other.data_to_send() + b"mux")
    one.receive_data(b"more")
    assert one.leftover == b"muxmore"


def test_byte_by_byte_is_the_same() -> None:
    """The pipe may cut anywhere."""
    one, other = client(), server()
    for _ in range(2):
        for source, target in ((other, one), (one, other)):
            for byte in source.data_to_send():
                target.receive_data(bytes([byte]))
            if other.asked:
                other.welcome("abc-1", 0)
    assert one.done
    assert other.done


def test_a_client_without_the_secret_is_refused() -> None:
    """The agent refuses, and the client is told."""
    one, other = client(secret=b"x" * 32), server()
    with pytest.raises(HelloError, match="does not know"):
        greet(one, other)
    assert not other.done
    with pytest.raises(HelloError, match="does not know"):
        one.receive_data(other.data_to_send())


def test_an_agent_without_the_secret_is_refused() -> None:
    """An agent that accepts anybody cannot prove itself to the client."""
    impostor = server(secret=b"x" * 32)
    one = client()
    twin = client(secret=b"x" * 32)
    greeting = impostor.data_to_send()
    one.receive_data(greeting)
    twin.receive_data(greeting)
    impostor.receive_data(twin.data_to_send())
    impostor.welcome("abc-1", 0)
    with pytest.raises(HelloError, match="not our agent"):
        one.receive_data(impostor.data_to_send())
    assert not one.done


def test_a_client_cannot_be_replayed() -> None:
    """What one server accepted is no proof to the next one."""
    one, other = client(), server()
    one.receive_data(other.data_to_send())
    said = one.data_to_send()
    later = ServerHello(SECRET, "7f3a", "0.1.0", nonce=b"t" * 32)
    with pytest.raises(HelloError):
        later.receive_data(said)


def test_a_proof_cannot_be_reflected() -> None:
    """The client's own proof is not the server's."""
    one, other = client(), server()
    one.receive_data(other.data_to_send())
    proof = one.data_to_send().split()[-1]
    with pytest.raises(HelloError):
        one.receive_data(b"welcome 0.1.0 uvloop,udp abc-1 0 " + proof + b"\n")


def test_altered_capabilities_are_noticed() -> None:
    """Every word of the welcome is proven."""
    one, other = client(), server()
    greet(one, other)
    with pytest.raises(HelloError, match="not our agent"):
        one.receive_data(other.data_to_send().replace(b"udp", b"tcp"))


def test_a_link_is_resumed_from_where_both_ends_stand() -> None:
    """The agent learns which link is meant, and each end what the other one has of it."""
    one = ClientHello(SECRET, "7f3a", "0.1.0", standing=Standing("abc-1", 77, 3))
    other = server()
    one.receive_data(other.data_to_send())
    other.receive_data(one.data_to_send())
    assert other.asked
    assert other.peer == Standing("abc-1", 77, 3)
    assert not other.done
    other.welcome("abc-1", 1 << 40)
    one.receive_data(other.data_to_send())
    assert one.peer == Standing("abc-1", 1 << 40)


def test_a_new_link_gets_its_name_from_the_agent() -> None:
    """Who resumes nothing is told which link this is."""
    one, other = client(), server()
    greet(one, other)
    assert other.peer == Standing()
    one.receive_data(other.data_to_send())
    assert one.peer == Standing("abc-1", 0)


def test_a_late_connection_is_refused() -> None:
    """The client is told that it has made a later one, which is no reason to doubt the secret."""
    one, other = client(), server()
    one.receive_data(other.data_to_send())
    other.receive_data(one.data_to_send())
    with pytest.raises(HelloError, match="older"):
        raise other.refuse_stale()
    with pytest.raises(HelloError, match="later connection"):
        one.receive_data(other.data_to_send())
    assert not other.done


@pytest.mark.parametrize("word", [b" 0 ", b" abc-1 "])
def test_an_altered_standing_is_noticed(word: bytes) -> None:
    """Where the agent stands is proven, too."""
    one, other = client(), server()
    greet(one, other)
    with pytest.raises(HelloError, match="not our agent"):
        one.receive_data(other.data_to_send().replace(word, b" 7 ", 1))


def test_another_session_is_refused() -> None:
    """The same secret with another session's id is refused, with the reason."""
    one, other = client(session="aaaa"), server(session="bbbb")
    with pytest.raises(HelloError, match="another session"):
        greet(one, other)
    with pytest.raises(HelloError, match="another session"):
        one.receive_data(other.data_to_send())


def test_versions_must_be_the_same() -> None:
    """Both ends say which versions met and what to do."""
    one, other = client(version="0.2.0"), server(version="0.1.0")
    with pytest.raises(HelloError, match=r"client is tp 0\.2\.0.*Pod is tp 0\.1\.0.*tp up"):
        greet(one, other)
    with pytest.raises(HelloError, match=r"client is tp 0\.2\.0.*Pod is tp 0\.1\.0.*tp up"):
        one.receive_data(other.data_to_send())
    assert not one.done
    assert not other.done


def test_another_protocol_is_named() -> None:
    """A newer agent's greeting, whatever follows its number, is an error with the cure."""
    with pytest.raises(HelloError, match=r"another version of the link.*tp up"):
        client().receive_data(b"tp-link 2 whatever that one says\n")


@pytest.mark.parametrize(
    "wire", [b"HTTP/1.1 400 Bad Request\r\n", b"S", b"tp-lino", b"\n", b"tp-link 1 zz\n"]
)
def test_what_is_no_agent_is_known_at_once(wire: bytes) -> None:
    """The client does not wait for the end of a line that cannot be an agent's."""
    with pytest.raises(HelloError, match="not an agent"):
        client().receive_data(wire)


def test_what_is_no_client_is_told_so() -> None:
    """The agent refuses what cannot be a client at once."""
    other = server()
    with pytest.raises(HelloError, match="not a client"):
        other.receive_data(b"GET / HTTP/1.1\r\n")
    assert other.data_to_send().endswith(b"refused garbled\n")


def test_no_mux_byte_before_the_proof() -> None:
    """A client that does not wait for the agent's proof is refused."""
    one, other = client(), server()
    one.receive_data(other.data_to_send())
    with pytest.raises(HelloError):
        other.receive_data(one.data_to_send() + b"\0")


def test_a_line_without_end_is_bounded() -> None:
    """Neither end keeps more than a line."""
    with pytest.raises(HelloError):
        server().receive_data(b"hello " + b"x" * MAX_LINE)
    with pytest.raises(HelloError):
        client().receive_data(b"tp-link " + b"x" * MAX_LINE)


def test_a_failed_handshake_stays_failed() -> None:
    """After an error nothing that follows can succeed."""
    other = server()
    with pytest.raises(HelloError):
        other.receive_data(b"x")
    one = client()
    one.receive_data(server().data_to_send())
    with pytest.raises(HelloError, match="before"):
        other.receive_data(one.data_to_send())


def test_nonces_differ() -> None:
    """Two handshakes of the same end do not share a nonce."""
    assert (
        ServerHello(SECRET, "s", "1").data_to_send() != ServerHello(SECRET, "s", "1").data_to_send()
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClientHello(b"short", "s", "1"),
        lambda: ClientHello(SECRET, "two words", "1"),
        lambda: ClientHello(SECRET, "s", ""),
        lambda: ClientHello(SECRET, "s", "1", nonce=b"x"),
        lambda: ServerHello(SECRET, "s", "1", ("a,b c",)),
    ],
)
def test_what_cannot_be_said_is_not_accepted(make: object) -> None:
    """An end that could not speak is not made."""
    with pytest.raises(ValueError, match=r"\w"):
        make()  # type: ignore[operator]


@given(st.binary(max_size=300), st.integers(0, 300), st.booleans())
def test_noise_raises_only_hello_error(wire: bytes, cut: int, greeted: bool) -> None:
    """Whatever arrives, nothing but HelloError comes out, and nobody is ever done by it."""
    for end in (client(), server()):
        if greeted and isinstance(end, ClientHello):
            end.receive_data(server().data_to_send())
        try:
            end.receive_data(wire[:cut])
            end.receive_data(wire[cut:])
        except HelloError:
            pass
        assert not end.done


@given(st.data())
def test_one_flipped_bit_never_passes(data: st.DataObject) -> None:
    """A bit flipped anywhere in the client's or the server's words is noticed."""
    one, other = client(), server()
    which = data.draw(st.integers(0, 2))

    def carry(step: int, wire: bytes) -> bytes:
        if step != which:
            return wire
        at, bit = data.draw(st.integers(0, len(wire) - 1)), data.draw(st.integers(0, 7))
        return wire[:at] + bytes([wire[at] ^ (1 << bit)]) + wire[at + 1 :]

    try:
        one.receive_data(carry(0, other.data_to_send()))
        other.receive_data(carry(1, one.data_to_send()))
        if other.asked:
            other.welcome("abc-1", 0)
        one.receive_data(carry(2, other.data_to_send()))
    except HelloError:
        pass
    assert not one.done
