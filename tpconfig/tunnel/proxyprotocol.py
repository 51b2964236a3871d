"""The PROXY protocol's header: tells a server who calls, in front of the caller's own bytes.

Source: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

from tpconfig.model.target import ProxyProtocol
from tpconfig.mux.opening import TcpFrom

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_PROXY: Final = 0x21
"""Version 2, command PROXY."""

_TCP4: Final = 0x11
_TCP6: Final = 0x21


def header(version: ProxyProtocol, call: TcpFrom) -> bytes:
    """Return the header for a connection from ``call``'s peer to the Pod.

    A peer and a Pod of two families are both written as IPv6.
    """
    peer, pod = _address(call.peer_host), _address(call.pod_host)
    if peer.version != pod.version:
        peer, pod = _as_ipv6(peer), _as_ipv6(pod)
    if version == "v1":
        words = f"PROXY TCP{peer.version} {peer} {pod} {call.peer_port} {call.port}\r\n"
        return words.encode("ascii")
    ports = struct.pack("!HH", call.peer_port, call.port)
    body = peer.packed + pod.packed + ports
    family = _TCP4 if peer.version == 4 else _TCP6
    return _SIGNATURE + struct.pack("!BBH", _PROXY, family, len(body)) + body


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address; one of IPv4 that an IPv6 socket saw is of IPv4."""
    found = ipaddress.ip_address(text)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _as_ipv6(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(f"::ffff:{address}")
