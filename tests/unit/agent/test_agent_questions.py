"""The pure part of asking nameservers, and of describing the Pod."""

from __future__ import annotations

import json
import os

import pytest

from tpconfig.agent import describe, lookup, resolve

QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x01b\x00\x00\x01\x00\x01opt"


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 10.96.0.10\nsearch dev.svc\noptions ndots:5\n", ["10.96.0.10"]),
        ("nameserver fd00::a\n", ["fd00::a"]),
        ("# nameserver 1.1.1.1\n;nameserver 2.2.2.2\nnameserver\n", []),
        ("nameserver not.an.address\nnameserver 10.0.0.1", ["10.0.0.1"]),
        (
            "".join(f"nameserver 10.0.0.{n}\n" for n in range(5)),
            ["10.0.0.0", "10.0.0.1", "10.0.0.2"],
        ),
        ("", []),
    ],
)
def test_nameservers_of_a_resolv_conf(text: str, servers: list[str]) -> None:
    """As resolv.conf(5) says: three at most, addresses only, comments left out."""
    assert resolve.nameservers(text) == servers


def test_failure_repeats_the_question() -> None:
    """SERVFAIL has the id, the question and nothing else."""
    answer = resolve.failure(QUERY)
    assert answer == b"\x12\x34\x81\x82\x00\x01" + bytes(6) + b"\x01a\x01b\x00\x00\x01\x00\x01"


@pytest.mark.parametrize("message", [b"", QUERY[:11], QUERY[:2] + b"\x81" + QUERY[3:]])
def test_what_is_no_question_has_no_answer(message: bytes) -> None:
    """Too short, or an answer itself: nothing is said."""
    assert resolve.failure(message) == b""


def test_a_question_that_does_not_end_fails_without_it() -> None:
    """A broken question is not repeated."""
    answer = resolve.failure(QUERY[:14])
    assert answer == b"\x12\x34\x81\x82" + bytes(8)


async def test_without_nameservers_questions_fail() -> None:
    """SERVFAIL, at once."""
    assert await resolve.Forwarder([]).ask(QUERY) == resolve.failure(QUERY)


@pytest.mark.parametrize(
    ("host", "count"),
    [("10.0.0.1", 1), ("::1", 1), ("fe80::1%1", 1), ("localhost", 0), ("10.0.0", 0), ("", 0)],
)
def test_addresses_are_told_from_names(host: str, count: int) -> None:
    """What spells out an address is not looked up."""
    assert len(lookup.literal(host, 80)) == count


def test_the_environment_is_taken_apart_byte_by_byte() -> None:
    """Values may hold anything but NUL; the first of two equal names counts."""
    block = b"A=1\0B=two\nlines\0C=a=b\0A=2\0EMPTY=\0nonsense\0=x\0RAW=\xff\0"
    assert describe.parse_environ(block) == {
        b"A": b"1",
        b"B": b"two\nlines",
        b"C": b"a=b",
        b"EMPTY": b"",
        b"RAW": b"\xff",
    }


def test_bytes_survive_json() -> None:
    """What is no UTF-8 comes out of JSON as it went in."""
    raw = bytes(range(1, 256))
    text = raw.decode("utf-8", "surrogateescape")
    assert json.loads(json.dumps(text)).encode("utf-8", "surrogateescape") == raw


def test_our_own_variables_are_left_out() -> None:
    """What begins with our prefix is nobody else's."""
    assert not [key for key in describe.environment() if key.startswith("TPCONFIG_")]
    assert describe.environment().get("PATH") == os.environ.get("PATH")
