"""Connections to a localhost."""

from __future__ import annotations

import socket

import pytest

from tpconfig.local.loopback import connect_loopback


def free_port(host: str, family: socket.AddressFamily) -> int:
    """Return a port that nobody listens on."""
    with socket.create_server((host, 0), family=family) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
async def test_a_socket_that_meets_itself_has_met_nobody(
    host: str, family: socket.AddressFamily
) -> None:
    """The kernel may give a connection the very port that it goes to, and lets it connect."""
    port = free_port(host, family)

    async def make(wanted: socket.AddressFamily) -> socket.socket:
        if wanted != family:
            raise OSError
        sock = socket.socket(family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
        return sock

    assert await connect_loopback(port, make) is None


async def test_who_listens_is_met() -> None:
    """Whatever family they listen on."""

    async def make(family: socket.AddressFamily) -> socket.socket:
        sock = socket.socket(family)
        sock.setblocking(False)
        return sock

    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        found = await connect_loopback(server.getsockname()[1], make)
        assert found is not None
        found.close()
