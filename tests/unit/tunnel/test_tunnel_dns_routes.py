"""Which way a name goes, and what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tpconfig.tunnel import dnsmessage
from tpconfig.tunnel.dns import Remembered, Resolver
from tpconfig.tunnel.dnscache import DnsCache
from tpconfig.tunnel.outbound import Way


def query(name: str, kind: int = 1) -> bytes:
    """Return a question."""
    labels = b"".join(bytes((len(one),)) + one.encode() for one in name.split("."))
    head = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    return head + labels + b"\0" + kind.to_bytes(2, "big") + b"\x00\x01"


def address_of(answer: bytes) -> list[str]:
    """Return the addresses of an answer."""
    return [record.address for record in dnsmessage.addresses(answer)]


class StoppedClock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        """Return it."""
        return self.now_s


@dataclass
class Nameservers:
    """Two of them, and a resolver in front."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    broken: str | None = None
    default: Way = "pod"
    clock: StoppedClock = field(default_factory=StoppedClock)

    def __post_init__(self) -> None:
        self.remembered = Remembered(self.clock)
        self.resolver = Resolver(
            pod=self._pod,
            machine=self._machine,
            route=self._route,
            remembered=self.remembered,
            default=self.default,
            machine_address="198.18.0.1",
        )

    async def _pod(self, message: bytes) -> bytes:
        return self._answer("pod", message, "10.0.0.1")

    async def _machine(self, message: bytes) -> bytes:
        return self._answer("machine", message, "192.0.2.1")

    def _answer(self, who: str, message: bytes, address: str) -> bytes:
        asked = dnsmessage.parse_query(message)
        self.asked.append((who, asked.name))
        if self.broken == who:
            raise TimeoutError
        return dnsmessage.answer(message, asked, address=address, ttl_s=30)

    def _route(self, name: str) -> Way:
        return "machine" if name.endswith(".corp") else "pod"


async def test_names_go_to_the_pod() -> None:
    """What the policy does not name is asked in the Pod, and not remembered."""
    servers = Nameservers()
    assert address_of(await servers.resolver.answer(query("orders"))) == ["10.0.0.1"]
    assert servers.asked == [("pod", "orders")]
    assert "10.0.0.1" not in servers.remembered


async def test_names_of_the_machine() -> None:
    """What the policy gives to the machine is asked there; its addresses follow."""
    servers = Nameservers()
    assert address_of(await servers.resolver.answer(query("mirror.corp"))) == ["192.0.2.1"]
    assert servers.asked == [("machine", "mirror.corp")]
    assert "192.0.2.1" in servers.remembered


async def test_the_default_may_be_the_machine() -> None:
    """Then the addresses that follow their names are those of the Pod's."""
    servers = Nameservers(default="machine")
    await servers.resolver.answer(query("mirror.corp"))
    await servers.resolver.answer(query("orders"))
    assert "192.0.2.1" not in servers.remembered
    assert "10.0.0.1" in servers.remembered


async def test_addresses_are_forgotten() -> None:
    """An address belongs to the machine for its time to live, and a little longer."""
    servers = Nameservers()
    await servers.resolver.answer(query("mirror.corp"))
    servers.clock.now_s += 30 + 20
    assert "192.0.2.1" in servers.remembered
    servers.clock.now_s += 20
    assert "192.0.2.1" not in servers.remembered


def test_a_shorter_time_does_not_shorten() -> None:
    """The longest promise counts."""
    clock = StoppedClock()
    remembered = Remembered(clock)
    remembered.add("192.0.2.1", 1000)
    remembered.add("192.0.2.1", 1)
    clock.now_s += 900
    assert "192.0.2.1" in remembered


def test_memory_is_bounded() -> None:
    """The oldest address makes room."""
    remembered = Remembered(StoppedClock())
    for number in range(5000):
        remembered.add(f"10.0.{number >> 8}.{number & 255}", 60)
    assert "10.0.0.0" not in remembered
    assert f"10.0.{4999 >> 8}.{4999 & 255}" in remembered


async def test_the_machine_has_a_name() -> None:
    """``host.tp.internal`` is answered without asking anybody."""
    servers = Nameservers()
    assert address_of(await servers.resolver.answer(query("Host.tp.internal"))) == ["198.18.0.1"]
    assert address_of(await servers.resolver.answer(query("host.tp.internal", 28))) == []
    assert servers.asked == []


async def test_silence_is_servfail() -> None:
    """A nameserver that does not answer in time is a failure that the process sees at once."""
    for broken, name in (("pod", "orders"), ("machine", "mirror.corp")):
        answer = await Nameservers(broken=broken).resolver.answer(query(name))
        assert answer[3] & 0x0F == dnsmessage.SERVFAIL
        assert answer[:2] == b"\x12\x34"


async def test_nonsense_is_formerr() -> None:
    """What cannot be read is said to be unreadable, and nobody is asked."""
    servers = Nameservers()
    answer = await servers.resolver.answer(query("orders")[:14])
    assert answer[3] & 0x0F == dnsmessage.FORMERR
    assert await servers.resolver.answer(b"x") == b""
    assert servers.asked == []


async def test_the_pod_is_asked_once_and_the_machine_each_time() -> None:
    """The Pod's answers are kept; what this machine resolves may change with every network."""
    servers = Nameservers()
    resolver = Resolver(
        pod=servers._pod,
        machine=servers._machine,
        route=servers._route,
        remembered=servers.remembered,
        cache=DnsCache(servers.clock),
    )
    for name in ("web.shop", "WEB.shop", "git.corp", "git.corp"):
        assert address_of(await resolver.answer(query(name)))
    assert [way for way, _ in servers.asked] == ["pod", "machine", "machine"]
    servers.clock.now_s += 3600
    await resolver.answer(query("web.shop"))
    assert [way for way, _ in servers.asked][3:] == ["pod"]
