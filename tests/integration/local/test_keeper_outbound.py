"""What processes inside open: it reaches the engine with its destination, whoever opens it."""

from __future__ import annotations

import sys

import pytest
from keeper_people import IDENTITIES, Person, Workshop

CONNECTED_UDP = """
import socket
for host, port in (("10.4.5.6", 5353), ("10.4.5.7", 99), ("10.4.5.6", 5353)):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect((host, port))
    s.send(b"hi")
    print(s.recv(100).decode())
"""

UNCONNECTED_UDP = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for port in (7, 8):
    s.sendto(b"hi", ("10.4.5.6", port))
    data, sender = s.recvfrom(100)
    print(data.decode(), *sender)
"""

LISTENING_ON_THE_SAME_PORT = """
import socket
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(20)
asker.sendto(b"hi", ("10.4.5.6", 7777))
print(asker.recv(100).decode())
for port in (53, 7777):
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.settimeout(20)
    own.bind(("0.0.0.0", port))
    asker.sendto(b"hi", ("127.0.0.1", port))
    print(own.recv(100).decode())
asker.sendto(b"x" * 65507, ("10.4.5.6", 7777))
asker.sendto(b"ho", ("10.4.5.6", 7777))
print(asker.recv(100).decode())
"""

TCP = """
import socket
s = socket.create_connection(("10.1.2.3", 5432))
print(s.makefile().readline().strip(), *s.getpeername())
s.sendall(b"x" * 5_000_000)
s.shutdown(socket.SHUT_WR)
got = 0
while data := s.recv(1 << 16):
    got += len(data)
print(got)
"""


def test_tcp_reaches_the_engine_with_its_destination(person: Person) -> None:
    """A connection arrives with its address, carries bytes both ways and half-closes."""
    result = person.run("code", code=TCP)
    assert result["out"] == ["10.1.2.3:5432 10.1.2.3 5432", "5000000"]


def test_tcp_works_under_uvloop(workshop: Workshop) -> None:
    """The same with uvloop as the event loop, which is what ``tp`` runs on."""
    person = Person(IDENTITIES[0], sys.executable, workshop)
    result = person.run("code", code=TCP, uvloop=True)
    assert result["out"] == ["10.1.2.3:5432 10.1.2.3 5432", "5000000"]


def test_connected_udp_sockets_get_their_answers(person: Person) -> None:
    """Answers come from the very address that a connected socket accepts them from."""
    result = person.run("code", code=CONNECTED_UDP)
    assert result["out"] == ["10.4.5.6:5353 hi", "10.4.5.7:99 hi", "10.4.5.6:5353 hi"]


def test_unconnected_udp_sockets_see_who_answers(person: Person) -> None:
    """Answers carry the address that was asked as their sender."""
    result = person.run("code", code=UNCONNECTED_UDP)
    assert result["out"] == ["10.4.5.6:7 hi 10.4.5.6 7", "10.4.5.6:8 hi 10.4.5.6 8"]


def test_a_port_that_is_spoken_to_elsewhere_is_free_here(person: Person) -> None:
    """A process may listen on the nameserver's port, and on one of a far end that answered."""
    result = person.run("code", code=LISTENING_ON_THE_SAME_PORT)
    assert result["out"] == ["10.4.5.6:7777 hi", "hi", "hi", "10.4.5.6:7777 ho"]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_static_go_binary(person: Person, go_client: str, kind: str) -> None:
    """A static Go binary, which no library can be injected into, is redirected."""
    result = person.run("client", argv=[go_client, kind, "10.7.7.7:8080"])
    expected = {"tcp": '"10.7.7.7:8080\\nhello"', "udp": '"10.7.7.7:8080 hello" <nil>'}
    assert result["out"] == [expected[kind]]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_static_c_binary(person: Person, c_client: str, kind: str) -> None:
    """A static binary of the C library is redirected."""
    result = person.run("client", argv=[c_client, kind, "10.7.7.7", "8080"])
    assert result["out"][0].startswith("10.7.7.7:8080")


def test_addresses_of_all_kinds_are_redirected(person: Person) -> None:
    """Private, public and link-local (metadata) addresses all go to the engine."""
    hosts = ["192.168.1.1", "8.8.8.8", "169.254.169.254", "198.18.0.2", "100.64.0.1"]
    code = (
        "import socket, sys\n"
        f"for host in {hosts}:\n"
        " s = socket.create_connection((host, 80)); s.recv(99); s.close()"
    )
    result = person.run("code", code=code)
    assert [host for host, _ in result["tcp"]] == hosts


def test_refusal_by_the_engine_is_a_reset(person: Person) -> None:
    """A connection that the engine refuses ends in a reset, not in a quiet end."""
    code = (
        "import socket\n"
        "s = socket.create_connection(('10.0.0.1', 666))\n"
        "try:\n print(s.recv(1))\nexcept ConnectionResetError:\n print('reset')"
    )
    assert person.run("code", code=code)["out"] == ["reset"]


def test_loopback_stays_inside(person: Person) -> None:
    """127.0.0.0/8 and the process's own address never reach the engine."""
    code = (
        "import socket\n"
        "for host in ('127.0.0.1', '127.3.2.1', '198.18.0.1', '::1'):\n"
        " family = socket.AF_INET6 if ':' in host else socket.AF_INET\n"
        " server = socket.create_server((host, 0), family=family)\n"
        " s = socket.create_connection(server.getsockname()[:2]); server.accept()[0].send(b'own')\n"
        " print(s.recv(9).decode())"
    )
    result = person.run("code", code=code)
    assert (result["out"], result["tcp"]) == (["own"] * 4, [])


def test_closed_loopback_port_is_refused(person: Person) -> None:
    """Nobody listening on localhost is refused by the kernel, as everywhere."""
    code = (
        "import socket\n"
        "try:\n socket.create_connection(('127.0.0.1', 9))\n"
        "except ConnectionRefusedError:\n print('refused')"
    )
    assert person.run("code", code=code)["out"] == ["refused"]


def test_the_listener_itself_is_no_door(person: Person) -> None:
    """Connecting to the engine's own listener by its address ends in a reset."""
    code = (
        "import socket\n"
        "s = socket.create_connection(('127.127.127.127', 1))\n"
        "try:\n print(s.recv(1))\nexcept ConnectionResetError:\n print('reset')"
    )
    result = person.run("code", code=code)
    assert (result["out"], result["tcp"]) == (["reset"], [])


def test_ipv6_is_unreachable_at_once(person: Person) -> None:
    """Nothing leaves by IPv6: connecting fails with ENETUNREACH, over TCP and over UDP."""
    code = (
        "import errno, socket\n"
        "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        " s = socket.socket(socket.AF_INET6, kind)\n"
        " print(errno.errorcode[s.connect_ex(('2001:db8::1', 80))])"
    )
    assert person.run("code", code=code)["out"] == ["ENETUNREACH", "ENETUNREACH"]


def test_there_is_no_device_but_loopback(person: Person) -> None:
    """The machine's own network devices are not inside."""
    result = person.run("code", code="import socket; print([n for _, n in socket.if_nameindex()])")
    assert result["out"] == ["['lo']"]


def test_icmp_fails_at_once(person: Person) -> None:
    """A ping out of the namespace is an error, not a wait for ever."""
    if person.name != "root":
        code = (
            "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)"
        )
        assert "PermissionError" in person.run("code", code=code)["err"][-1]
        return
    code = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)\n"
        "try:\n s.sendto(b'\\x08\\0\\xf7\\xff\\0\\0\\0\\0', ('8.8.8.8', 0))\n"
        "except PermissionError:\n print('not permitted')"
    )
    assert person.run("code", code=code)["out"] == ["not permitted"]


def test_two_hundred_connections_at_once(person: Person) -> None:
    """Many connections at the same moment all arrive."""
    code = (
        "import socket\n"
        "all = [socket.create_connection(('10.0.0.1', 1000 + n)) for n in range(200)]\n"
        "print(sum(s.recv(99) == b'10.0.0.1:%d\\n' % (1000 + n) for n, s in enumerate(all)))"
    )
    assert person.run("code", code=code)["out"] == ["200"]


def test_two_workloads_do_not_meet(person: Person) -> None:
    """Two keepers side by side each have a port 8080 of their own."""
    assert person.run("two_sites")["heard"] == ["one", "other"]
