"""The PROXY protocol's headers, byte by byte as its specification writes them."""

from __future__ import annotations

import pytest

from tpconfig.mux.opening import TcpFrom
from tpconfig.tunnel.proxyprotocol import header

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


@pytest.mark.parametrize(
    ("peer", "pod", "words", "rest"),
    [
        ("10.1.2.3", "10.9.0.7", "TCP4 10.1.2.3 10.9.0.7", "2111000c0a0102030a090007"),
        ("::ffff:10.1.2.3", "10.9.0.7", "TCP4 10.1.2.3 10.9.0.7", "2111000c0a0102030a090007"),
        (
            "2001:db8::1",
            "fd00::2",
            "TCP6 2001:db8::1 fd00::2",
            "21210024" + "20010db8000000000000000000000001" + "fd000000000000000000000000000002",
        ),
        (
            "fd00::2",
            "10.9.0.7",
            "TCP6 fd00::2 ::ffff:a09:7",
            "21210024" + "fd000000000000000000000000000002" + "00000000000000000000ffff0a090007",
        ),
    ],
)
def test_a_header_says_who_calls_whom(peer: str, pod: str, words: str, rest: str) -> None:
    """Both versions, both families, and a caller and a Pod of different ones."""
    call = TcpFrom(8080, peer, 40000, pod)
    assert header("v1", call) == f"PROXY {words} 40000 8080\r\n".encode()
    assert header("v2", call) == SIGNATURE + bytes.fromhex(rest + "9c401f90")
