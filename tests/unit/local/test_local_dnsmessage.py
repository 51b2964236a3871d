"""Carrying DNS over UDP: sizes, truncation, failures."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.local import dnsmessage

QUESTION = b"\x06orders\x03svc\x00\x00\x01\x00\x01"


def query(*, edns: int | None = None, flags: int = 0x0100) -> bytes:
    """A question for orders.svc, with or without an OPT record."""
    head = struct.pack("!6H", 0xBEEF, flags, 1, 0, 0, int(edns is not None))
    if edns is None:
        return head + QUESTION
    return head + QUESTION + b"\x00" + struct.pack("!2HIH", 41, edns, 0, 0)


HEAD = 12 + len(QUESTION)
RECORD = b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 30, 4) + b"\x0a\x00\x00\x01"


def answer(records: int, *, padding: int = 0) -> bytes:
    """An answer with some addresses, of 16 bytes each, and bytes of an additional record."""
    head = struct.pack("!6H", 0xBEEF, 0x8180, 1, records, 0, int(padding > 0)) + QUESTION
    return head + RECORD * records + bytes(padding)


@pytest.mark.parametrize(
    ("edns", "limit"), [(None, 512), (1232, 1232), (4096, 4096), (100, 512), (0, 512)]
)
def test_limit_is_what_the_asker_says(edns: int | None, limit: int) -> None:
    """Without EDNS 512 bytes, with it what it says, but never less than 512 (RFC 6891)."""
    assert dnsmessage.udp_limit(query(edns=edns)) == limit


def test_answer_that_fits_is_untouched() -> None:
    """An answer of exactly the limit goes as it is."""
    whole = answer(1, padding=512 - HEAD - len(RECORD))
    assert (len(whole), dnsmessage.fit(query(), whole)) == (512, whole)


def test_answer_that_does_not_fit_keeps_the_records_that_do() -> None:
    """One byte more: TC is set, whole records stay, what follows the answers goes."""
    long = answer(1, padding=513 - HEAD - len(RECORD))
    head = struct.pack("!6H", 0xBEEF, 0x8380, 1, 1, 0, 0)
    assert dnsmessage.fit(query(), long) == head + QUESTION + RECORD


def test_as_many_records_as_fit_are_kept() -> None:
    """Of a hundred addresses those come that 512 bytes have room for, and are counted right."""
    cut = dnsmessage.fit(query(), answer(100))
    count = (512 - HEAD) // len(RECORD)
    head = struct.pack("!6H", 0xBEEF, 0x8380, 1, count, 0, 0)
    assert cut == head + QUESTION + RECORD * count


def test_failure_repeats_the_question() -> None:
    """SERVFAIL carries the asker's id and question and says that recursion is available."""
    failed = dnsmessage.failure(query(edns=1232))
    assert failed == struct.pack("!6H", 0xBEEF, 0x8182, 1, 0, 0, 0) + QUESTION


@pytest.mark.parametrize("cut", range(len(query(edns=4096)) - 12))
def test_cut_queries_are_read_without_harm(cut: int) -> None:
    """However much of a query is missing, there is a limit and a failure for it."""
    short = query(edns=4096)[: 12 + cut]
    assert dnsmessage.udp_limit(short) in (512, 4096)
    assert dnsmessage.failure(short)[:2] == b"\xbe\xef"


@given(st.binary(min_size=12, max_size=80), st.binary(min_size=12, max_size=2000))
def test_odd_bytes_never_raise(asked: bytes, answered: bytes) -> None:
    """No bytes of a process or a server can do harm; what goes out fits."""
    assert len(dnsmessage.failure(asked)) >= 12
    fitted = dnsmessage.fit(asked, answered)
    assert fitted == answered or len(fitted) <= len(answered)
