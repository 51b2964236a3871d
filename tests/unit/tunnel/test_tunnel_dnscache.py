"""Which answers are given again, and how old they look."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpconfig.tunnel import dnsmessage
from tpconfig.tunnel.dnscache import MAX_ANSWERS, MAX_NEGATIVE_TTL_S, MAX_TTL_S, DnsCache

A, SOA, OPT = 1, 6, 41
HERE = b"\xc0\x0c"


class Clock:
    """Time that the test moves."""

    now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s


def query(
    name: str = "web.shop", *, ident: int = 7, flags: int = 0x0100, extra: bytes = b""
) -> bytes:
    """Return a question for addresses."""
    labels = b"".join(bytes((len(one),)) + one.encode() for one in name.split("."))
    head = pack("!6H", ident, flags, 1, 0, 0, 1 if extra else 0)
    return head + labels + b"\0" + pack("!HH", A, 1) + extra


def record(kind: int, ttl_s: int, value: bytes) -> bytes:
    """Return a record of the name that was asked for."""
    return HERE + pack("!HHIH", kind, 1, ttl_s, len(value)) + value


def soa(ttl_s: int, minimum_s: int) -> bytes:
    """Return a zone's own record."""
    return record(SOA, ttl_s, b"\0\0" + pack("!5I", 1, 2, 3, 4, minimum_s))


def answer(
    question: bytes, *answers: bytes, authority: bytes = b"", code: int = 0, cut: bool = False
) -> bytes:
    """Return an answer to a question, with an OPT record whose TTL is no time to live."""
    opt = b"\0" + pack("!HHIH", OPT, 4096, 0x8000, 0)
    flags = 0x8180 | code | (0x0200 if cut else 0)
    head = question[:2] + pack("!5H", flags, 1, len(answers), bool(authority), 1)
    return head + question[12:] + b"".join(answers) + authority + opt


def kept_s(reply: bytes) -> float:
    """Return for how long an answer is given again, in steps of half a second."""
    clock = Clock()
    cache, question = DnsCache(clock), query()
    parsed = dnsmessage.parse_query(question)
    cache.put(question, parsed, reply)
    began_s = clock.now_s
    while cache.get(question, parsed) is not None:
        clock.now_s += 0.5
    return clock.now_s - began_s


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (answer(query(), record(A, 30, b"\1\2\3\4")), 30),
        (answer(query(), record(A, 30, b"\1\2\3\4"), record(A, 5, b"\1\2\3\5")), 5),
        (answer(query(), record(A, 0, b"\1\2\3\4")), 0),
        (answer(query(), record(A, 1 << 31, b"\1\2\3\4")), MAX_TTL_S),
        (answer(query(), authority=soa(40, 20)), 20),
        (answer(query(), authority=soa(10, 20), code=3), 10),
        (answer(query(), authority=soa(9999, 9999), code=3), MAX_NEGATIVE_TTL_S),
        (answer(query(), code=3), 0),
        (answer(query(), record(A, 30, b"\1\2\3\4"), code=2), 0),
        (answer(query(), record(A, 30, b"\1\2\3\4"), cut=True), 0),
        (answer(query("other.shop"), record(A, 30, b"\1\2\3\4")), 0),
        (answer(query(), record(A, 30, b"\1\2\3\4"))[:-12], 0),
        (b"", 0),
    ],
)
def test_an_answer_is_given_again_for_as_long_as_it_holds(reply: bytes, seconds: float) -> None:
    """The shortest of its times, the zone's own where there is none; failures and halves never."""
    assert kept_s(reply) == seconds


def test_an_old_answer_looks_its_age() -> None:
    """Id and spelling are the asker's, the times to live are what is left, OPT is as it was."""
    clock = Clock()
    cache, first, second = DnsCache(clock), query(), query("WEB.Shop", ident=9)
    cache.put(first, dnsmessage.parse_query(first), answer(first, record(A, 30, b"\1\2\3\4")))
    clock.now_s += 12.4
    assert cache.get(second, dnsmessage.parse_query(second)) == answer(
        second, record(A, 18, b"\1\2\3\4")
    )


@pytest.mark.parametrize(
    "other",
    [query("web.prod"), query(flags=0x0000), query(extra=b"\0" + pack("!HHIH", OPT, 1232, 0, 0))],
)
def test_another_question_has_another_answer(other: bytes) -> None:
    """The name, the flags and what the asker can take make the question."""
    cache, first = DnsCache(Clock()), query()
    cache.put(first, dnsmessage.parse_query(first), answer(first, record(A, 30, b"\1\2\3\4")))
    assert cache.get(other, dnsmessage.parse_query(other)) is None


def test_what_is_kept_is_bounded() -> None:
    """The answer that nobody has asked for longest goes first."""
    cache, asked = DnsCache(Clock()), []
    for number in range(MAX_ANSWERS + 1):
        question = query(f"n{number}.shop")
        reply = answer(question, record(A, 30, b"abcd"))
        cache.put(question, dnsmessage.parse_query(question), reply)
        asked.append(question)
    assert len(cache) == MAX_ANSWERS
    assert cache.get(asked[0], dnsmessage.parse_query(asked[0])) is None
    assert cache.get(asked[1], dnsmessage.parse_query(asked[1])) is not None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_noise_is_not_kept_and_harms_nothing(noise: bytes) -> None:
    """Whatever an answer holds behind its question."""
    question = query()
    parsed = dnsmessage.parse_query(question)
    cache = DnsCache(Clock())
    cache.put(question, parsed, question[:2] + b"\x81\x80\0\1\0\1\0\1\0\1" + question[12:] + noise)
    found = cache.get(question, parsed)
    assert found is None or found[:2] == question[:2]
