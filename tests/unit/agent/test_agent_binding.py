"""Ports on hosts that lack one family or the other."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from tpconfig.agent import binding, listen
from tpconfig.agent.control import RefusedError


class WithoutIpv6(socket.socket):
    """What the kernel gives where IPv6 is switched off."""

    def __init__(self, family: int, kind: int, *more: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, kind, *more)


class Forbidden(socket.socket):
    """What the kernel gives for a port that this user may not have."""

    def bind(self, address: Any) -> None:
        """Say no."""
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_ipv4_alone_will_do(monkeypatch: pytest.MonkeyPatch, kind: socket.SocketKind) -> None:
    """Where there is no IPv6, a port is opened on IPv4."""
    monkeypatch.setattr(socket, "socket", WithoutIpv6)
    sockets = binding.bind(_free_port(), kind)
    assert [sock.family for sock in sockets] == [socket.AF_INET]
    binding.close(sockets)


def test_an_address_that_is_not_there_is_left_out() -> None:
    """A family without that address counts as missing."""
    where = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "2001:db8::1"))
    sockets = binding.bind(_free_port(), socket.SOCK_STREAM, where=where)
    assert len(sockets) == 1
    binding.close(sockets)


def test_no_family_at_all_is_an_error() -> None:
    """Somebody has to be able to listen."""
    with pytest.raises(OSError, match="assign"):
        binding.bind(1234, socket.SOCK_STREAM, where=((socket.AF_INET6, "2001:db8::1"),))


def test_a_port_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken and forbidden are different words for the peer."""
    with socket.create_server(("0.0.0.0", 0)) as sidecar:
        taken = sidecar.getsockname()[1]
        with pytest.raises(RefusedError) as in_use:
            listen.bind(taken, socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "socket", Forbidden)
    with pytest.raises(RefusedError) as denied:
        listen.bind(taken, socket.SOCK_STREAM)
    assert (in_use.value.code, denied.value.code) == ("in-use", "denied")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
