"""Who listens, as the kernel says over netlink."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tpconfig.local import sockdiag, sockets
from tpconfig.local.sockets import Owner


def test_what_listens_is_found_and_nothing_else() -> None:
    """Both families, with address, port and inode; no connection, and nothing that is closed."""
    with (
        sockdiag.open_diag() as diag,
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        socket.create_connection(four.getsockname()) as connected,
    ):
        found = {one.inode: one for one in sockdiag.listeners(diag)}
        loopback = {four: socket.inet_aton("127.0.0.1"), six: bytes(15) + b"\1"}
        for sock, address in loopback.items():
            inode = os.fstat(sock.fileno()).st_ino
            assert found[inode] == sockdiag.Listener(address, sock.getsockname()[1], inode)
        assert os.fstat(connected.fileno()).st_ino not in found
        closed = os.fstat(four.fileno()).st_ino
        four.close()
        assert closed not in {one.inode for one in sockdiag.listeners(diag)}


def test_it_says_what_the_tables_say() -> None:
    """The slower way is taken where this one is not there."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(40)]
    ports = {server.getsockname()[1] for server in servers}
    try:
        with sockdiag.open_diag() as diag:
            quick = sockets.loopback_ports(Path("/proc/self"), diag)
        assert ports <= quick
        assert ports <= sockets.loopback_ports(Path("/proc/self"), None)
    finally:
        for server in servers:
            server.close()


def test_only_wanted_ports_have_their_owners_looked_for() -> None:
    """By netlink as by the tables, an owner is a process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        wanted = ("tcp", server.getsockname()[1])
        found = sockets.listening(wanted={wanted, ("udp", wanted[1])})
    assert list(found) == [wanted]
    assert found[wanted] != Owner()
    assert found[wanted].pid == os.getpid()
