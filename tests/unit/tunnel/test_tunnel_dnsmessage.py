"""DNS messages, as far as the tunnel reads and writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.tunnel import dnsmessage
from tpconfig.tunnel.dnsmessage import AddressRecord, MessageError

HEAD = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
NAME = b"\x06Orders\x03dev\x00"
QUERY = HEAD + NAME + b"\x00\x01\x00\x01"

ANSWER = (
    b"\xab\xcd\x81\x80\x00\x01\x00\x03\x00\x00\x00\x00" + NAME + b"\x00\x01\x00\x01"
    # orders.dev CNAME x.orders.dev, then an A and an AAAA of that name
    b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x1e\x00\x04\x01x\xc0\x0c"
    b"\xc0\x28\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04\x0a\x00\x00\x07"
    b"\xc0\x28\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10" + bytes(15) + b"\x01"
)


def test_a_question_is_read() -> None:
    """Name in lower case, type, class, and where the question ends."""
    query = dnsmessage.parse_query(QUERY + b"whatever follows")
    assert (query.id, query.name, query.type, query.in_class) == (0xABCD, "orders.dev", 1, 1)
    assert query.end == len(QUERY)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        HEAD,
        QUERY[:-1],
        HEAD + b"\x3f" + b"x" * 10,
        HEAD + b"\xc0\x0c\x00\x01\x00\x01",
        HEAD + b"\x80x\x00\x00\x01\x00\x01",
        HEAD[:2] + b"\x81" + HEAD[3:] + NAME + b"\x00\x01\x00\x01",
        HEAD[:2] + b"\x29" + HEAD[3:] + NAME + b"\x00\x01\x00\x01",
        HEAD[:5] + b"\x02" + HEAD[6:] + NAME + b"\x00\x01\x00\x01",
    ],
    ids=["empty", "head", "cut", "label", "loop", "reserved", "answer", "update", "two"],
)
def test_what_is_no_question_is_said_to_be_none(message: bytes) -> None:
    """Broken, an answer, an update, or two questions at once."""
    with pytest.raises(MessageError):
        dnsmessage.parse_query(message)


def test_addresses_of_an_answer() -> None:
    """Both families, with their time to live, through an alias."""
    assert dnsmessage.addresses(ANSWER) == [
        AddressRecord("10.0.0.7", 30),
        AddressRecord("::1", 60),
    ]


def test_a_question_has_no_addresses() -> None:
    """Only an answer is believed."""
    with pytest.raises(MessageError):
        dnsmessage.addresses(QUERY)


@given(st.binary(max_size=80))
def test_anything_can_arrive(tail: bytes) -> None:
    """Whatever comes, it is understood or refused, and never loops."""
    for read in (dnsmessage.parse_query, dnsmessage.addresses):
        for head in (b"", HEAD, ANSWER[:12]):
            try:
                read(head + tail)
            except MessageError:
                pass


def test_an_answer_of_our_own() -> None:
    """One address of the asked type, readable by ourselves."""
    query = dnsmessage.parse_query(QUERY)
    answer = dnsmessage.answer(QUERY, query, address="192.0.2.7", ttl_s=60)
    assert answer[:2] == QUERY[:2]
    assert dnsmessage.addresses(answer) == [AddressRecord("192.0.2.7", 60)]


def test_another_type_has_no_address() -> None:
    """AAAA of a name that has an A only: the name is there, the answer is empty."""
    asked = QUERY[:-4] + b"\x00\x1c\x00\x01"
    answer = dnsmessage.answer(asked, dnsmessage.parse_query(asked), address="192.0.2.7")
    assert answer[3] & 0x0F == dnsmessage.NOERROR
    assert dnsmessage.addresses(answer) == []


def test_a_failure_repeats_the_question() -> None:
    """SERVFAIL carries id and question."""
    query = dnsmessage.parse_query(QUERY)
    answer = dnsmessage.answer(QUERY, query, code=dnsmessage.SERVFAIL)
    assert answer == b"\xab\xcd\x81\x82\x00\x01" + bytes(6) + QUERY[12:]


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"", b""),
        (QUERY[:11], b""),
        (ANSWER, b""),
        (HEAD + b"\xff", b"\xab\xcd\x81\x01" + bytes(8)),
    ],
)
def test_malformed(message: bytes, answer: bytes) -> None:
    """FORMERR for what has an id and is no answer; silence for the rest."""
    assert dnsmessage.malformed(message) == answer
