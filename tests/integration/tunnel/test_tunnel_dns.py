"""DNS questions through a link to the real agent, and from there to nameservers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_nameserver import answer, nameserver, question, two_addresses
from real_agent import Agent, StartAgent, wait_lost

from tpconfig.agent.resolve import Forwarder
from tpconfig.tunnel import dnsmessage
from tpconfig.tunnel.dns import PodResolver
from tpconfig.tunnel.machinedns import MachineResolver


async def agent_with(start_agent: StartAgent, tmp_path: Path, port: int, *servers: str) -> Agent:
    """Start an agent whose ``resolv.conf`` names these servers."""
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("".join(f"nameserver {server}\n" for server in servers))
    return await start_agent(resolv_conf=str(resolv_conf), dns_port=port)


def found(message: bytes) -> list[str]:
    """Return the addresses of an answer."""
    return [record.address for record in dnsmessage.addresses(message)]


async def test_the_pod_s_nameserver_answers(start_agent: StartAgent, tmp_path: Path) -> None:
    """A question reaches the nameserver verbatim, but for the id, and its answer comes back."""
    host, _, port = two_addresses()
    async with nameserver(host, port, udp=lambda query: answer(query, "10.0.0.7")) as asked:
        agent = await agent_with(start_agent, tmp_path, port, host)
        async with agent.link() as link:
            query = question("orders.dev.svc.cluster.local")
            reply = await PodResolver(link).ask(query)
            assert reply == answer(query, "10.0.0.7")
            assert [one[2:] for one in asked] == [query[2:]]


async def test_questions_with_the_same_id_do_not_mix(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    """Programs choose their ids alone; each gets the answer to its own question."""
    host, _, port = two_addresses()

    def reply(query: bytes) -> bytes:
        return answer(query, f"10.0.0.{dnsmessage.parse_query(query).name[1:]}")

    async with nameserver(host, port, udp=reply):
        agent = await agent_with(start_agent, tmp_path, port, host)
        async with agent.link() as link, asyncio.TaskGroup() as tasks:
            resolver = PodResolver(link)
            asking = [tasks.create_task(resolver.ask(question(f"n{n}"))) for n in range(50)]
            for number, task in enumerate(asking):
                assert found(await task) == [f"10.0.0.{number}"]


async def test_an_answer_that_does_not_fit_is_asked_for_by_tcp(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    """The agent does not hand on half an answer when TCP has the whole."""
    host, _, port = two_addresses()
    many = [f"10.0.{n}.1" for n in range(200)]
    async with nameserver(
        host,
        port,
        udp=lambda query: answer(query, truncated=True),
        tcp=lambda query: answer(query, *many),
    ):
        agent = await agent_with(start_agent, tmp_path, port, host)
        async with agent.link() as link:
            assert found(await PodResolver(link).ask(question("many"))) == many


async def test_questions_survive_a_lost_link(start_agent: StartAgent, tmp_path: Path) -> None:
    """A question that is asked while the link is lost is answered when it is back."""
    host, _, port = two_addresses()
    async with nameserver(host, port, udp=lambda query: answer(query, "10.0.0.7")):
        agent = await agent_with(start_agent, tmp_path, port, host)
        async with agent.link() as link:
            resolver = PodResolver(link)
            await resolver.ask(question("before"))
            link.drop("a test")
            await wait_lost(link)
            assert found(await resolver.ask(question("after"))) == ["10.0.0.7"]


async def test_an_agent_without_nameservers_says_so(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    """SERVFAIL, at once, where the Pod's ``resolv.conf`` names nobody."""
    agent = await agent_with(start_agent, tmp_path, 53)
    async with agent.link() as link:
        reply = await PodResolver(link).ask(question("nobody.knows"))
        assert reply[3] & 0x0F == dnsmessage.SERVFAIL


async def test_a_silent_server_is_passed_over() -> None:
    """The next nameserver is asked when the first one is silent."""
    first, second, port = two_addresses()
    async with (
        nameserver(first, port, udp=lambda query: None),
        nameserver(second, port, udp=lambda query: answer(query, "10.0.0.2")),
    ):
        assert found(await Forwarder([first, second], port=port).ask(question("a"))) == ["10.0.0.2"]


async def test_a_late_answer_counts() -> None:
    """The first server is still heard after the second has been asked."""
    first, second, port = two_addresses()
    heard: list[bytes] = []

    def on_the_second_time(query: bytes) -> bytes | None:
        heard.append(query)
        return answer(query, "10.0.0.1") if len(heard) == 2 else None

    async with (
        nameserver(first, port, udp=on_the_second_time),
        nameserver(second, port, udp=lambda query: None) as asked,
    ):
        assert found(await Forwarder([first, second], port=port).ask(question("a"))) == ["10.0.0.1"]
        assert len(asked) == 1


async def test_a_server_that_is_not_there_is_passed_over() -> None:
    """A nameserver that nobody runs costs no time."""
    first, second, port = two_addresses()
    async with nameserver(second, port, udp=lambda query: answer(query, "10.0.0.2")):
        forwarder = Forwarder([first, second], port=port, deadline_s=0.9)
        assert found(await forwarder.ask(question("a"))) == ["10.0.0.2"]


async def test_a_server_that_fails_is_passed_over() -> None:
    """SERVFAIL of one nameserver is not the answer while another one has not been asked."""
    first, second, port = two_addresses()
    async with (
        nameserver(first, port, udp=lambda query: answer(query, code=2)),
        nameserver(second, port, udp=lambda query: answer(query, "10.0.0.2")),
    ):
        forwarder = Forwarder([first, second], port=port, deadline_s=0.9)
        assert found(await forwarder.ask(question("a"))) == ["10.0.0.2"]


async def test_when_all_refuse_the_refusal_is_the_answer() -> None:
    """REFUSED comes back as REFUSED, without waiting for the deadline."""
    first, second, port = two_addresses()
    async with (
        nameserver(first, port, udp=lambda query: answer(query, code=5)),
        nameserver(second, port, udp=lambda query: answer(query, code=5)),
    ):
        async with asyncio.timeout(4):
            reply = await Forwarder([first, second], port=port).ask(question("a"))
        assert reply[3] & 0x0F == 5


async def test_a_name_that_does_not_exist_is_an_answer() -> None:
    """NXDOMAIN of the first nameserver is final."""
    first, second, port = two_addresses()
    async with (
        nameserver(first, port, udp=lambda query: answer(query, code=3)),
        nameserver(second, port, udp=lambda query: answer(query, "10.0.0.2")) as asked,
    ):
        reply = await Forwarder([first, second], port=port).ask(question("a"))
        assert reply[3] & 0x0F == 3
        assert asked == []


async def test_silence_is_servfail_at_the_deadline() -> None:
    """When nobody answers, the question has failed."""
    host, _, port = two_addresses()
    async with nameserver(host, port, udp=lambda query: None):
        reply = await Forwarder([host], port=port, deadline_s=0.2).ask(question("a"))
        assert reply[3] & 0x0F == 2
        assert reply[:2] == question("a")[:2]


@pytest.mark.parametrize("forged", [b"\x00\x00", None])
async def test_a_stranger_s_answer_is_no_answer(forged: bytes | None) -> None:
    """An answer with another id, or to another question, is not believed."""
    host, _, port = two_addresses()

    def reply(query: bytes) -> bytes:
        if forged is not None:
            return forged + answer(query, "6.6.6.6")[2:]
        return answer(question("evil", ident=int.from_bytes(query[:2], "big")), "6.6.6.6")

    async with nameserver(host, port, udp=reply):
        answered = await Forwarder([host], port=port, deadline_s=0.2).ask(question("a"))
        assert answered[3] & 0x0F == 2


async def test_the_machine_s_nameservers(tmp_path: Path) -> None:
    """This machine's own nameserver is asked where the policy says so."""
    host, _, port = two_addresses()
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver {host}\n")
    async with nameserver(host, port, udp=lambda query: answer(query, "192.0.2.1")):
        reply = await MachineResolver(resolv_conf, port=port).ask(question("mirror.corp"))
        assert found(reply) == ["192.0.2.1"]
