"""How processes inside learn names: only from us, whichever resolver they bring."""

from __future__ import annotations

from conftest import Person
from keeper_scenarios import BIG, BIG_COUNT, KNOWN, KNOWN_ADDRESS

LOOKUP = "import socket, sys; print(sorted({{a[4][0] for a in socket.getaddrinfo({!r}, 80)}}))"

LOOKED_UP = f"socket.getaddrinfo({BIG!r}, 80)"


def test_glibc_resolves_a_short_name_through_the_pods_search_list(person: Person) -> None:
    """getaddrinfo of a short name asks with the Pod's search domain and gets the answer."""
    result = person.run("code", code=LOOKUP.format("orders"))
    assert (result["out"], KNOWN in result["questions"]) == ([f"['{KNOWN_ADDRESS}']"], True)


def test_glibc_finds_addresses_that_must_be_configured(person: Person) -> None:
    """AI_ADDRCONFIG, which browsers and curl use, does not lose the IPv4 address."""
    code = (
        "import socket; print(socket.getaddrinfo('orders', 80, type=socket.SOCK_STREAM, "
        "flags=socket.AI_ADDRCONFIG)[0][4][0])"
    )
    assert person.run("code", code=code)["out"] == [KNOWN_ADDRESS]


def test_go_resolves_with_its_own_resolver(person: Person, go_client: str) -> None:
    """Go's pure resolver reads the same resolv.conf and gets the same answer."""
    result = person.run("client", argv=[go_client, "lookup", "orders"])
    assert result["out"] == [f"[{KNOWN_ADDRESS}]"]


def test_go_resolves_with_the_c_library(person: Person, go_client_with_libc: str) -> None:
    """A Go program that leaves names to the C library gets the same answer."""
    result = person.run("client", argv=[go_client_with_libc, "lookup", "orders"])
    assert result["out"] == [f"[{KNOWN_ADDRESS}]"]


def test_unknown_name_is_unknown(person: Person, go_client: str) -> None:
    """A name that does not exist is told apart from a failure."""
    assert person.run("client", argv=[go_client, "lookup", "no.such.name."])["out"] == [
        "error: true"
    ]


def test_broken_resolver_is_a_failure_not_an_unknown_name(person: Person, go_client: str) -> None:
    """When the tunnel cannot answer, the process hears SERVFAIL."""
    result = person.run("client", argv=[go_client, "lookup", "broken.example."])
    assert result["out"] == ["error: false"]


def test_large_answers_come_over_tcp(person: Person, go_client: str) -> None:
    """An answer that does not fit a datagram is truncated there and complete over TCP."""
    glibc = person.run("code", code=f"import socket; print(len({{a[4] for a in {LOOKED_UP}}}))")
    go = person.run("client", argv=[go_client, "lookup", BIG])
    assert (glibc["out"], len(go["out"][0].split())) == ([str(BIG_COUNT)], BIG_COUNT)


def test_hosts_file_is_ours(person: Person) -> None:
    """The Pod's aliases are found without a question to anybody."""
    result = person.run("code", code=LOOKUP.format("alias.example"))
    assert (result["out"], result["questions"]) == (["['10.1.1.1']"], [])


def test_localhost_is_loopback(person: Person) -> None:
    """localhost is answered from the hosts file, in both families."""
    result = person.run("code", code=LOOKUP.format("localhost"))
    assert (result["out"], result["questions"]) == (["['127.0.0.1', '::1']"], [])
