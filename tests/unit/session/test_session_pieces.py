"""The small pieces of a session, without a cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tpconfig.errors import ConfigError, ConflictError, NoPermissionError, Problem, TpError
from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import Destination, Forward, Outbound
from tpconfig.model.events import ActionDone, ActionFailed, Event
from tpconfig.model.observed import HostedFacts
from tpconfig.model.plan import Blocker, Fault, Plan
from tpconfig.model.target import PodPort, PortPair, Target
from tpconfig.session import control, errors_json, facts_json, verdicts
from tpconfig.session.executor import execute
from tpconfig.session.hold import hold
from tpconfig.session.identity import identify
from tpconfig.session.interrupts import Interrupted, Interrupts
from tpconfig.session.locks import only_one
from tpconfig.session.machine import command_word
from tpconfig.session.traffic import with_api_server
from tpconfig.session.wish import Reload

WHY = Reason("because")
WEB = Target("shop", "deployment", "web")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("npm start", "npm"),
        ("PORT=3000 DEBUG=1 ./serve --fast", "./serve"),
        ("cd src && make", None),
        ("exec node server.js", None),
        ("$SHELL -c x", None),
        ("for i in 1 2; do echo $i; done", None),
        ("'unfinished", None),
        ("# nothing", None),
    ],
)
def test_the_program_of_a_shell_line(line: str, word: str | None) -> None:
    """What can be told without running a shell; a guess would refuse commands that work."""
    assert command_word(("/bin/sh", "-c", line)) == word


def test_the_program_of_a_list() -> None:
    """Its first word, whatever that is."""
    assert command_word(("my program", "x")) == "my program"


def test_facts_go_through_json() -> None:
    """What another process reads is what was written."""
    ports = (PortPair(3000, PodPort(8080), 1.5, "v2"), PortPair(53, PodPort(53, "udp")))
    forwards = (Forward(5432, "db", 5432), Forward(1080))
    facts = HostedFacts("web", "tp-1-web-0", ports, "a", "b", serving=True, forwards=forwards)
    assert facts_json.from_json(facts_json.to_json(facts)) == facts


def test_a_reload_goes_through_json() -> None:
    """So that the living session reads the same files."""
    reload = Reload(("/a.yaml",), "/src", names=("web",), profiles=("p",), now=True)
    assert Reload.from_json({**reload.to_json(), "do": "reload"}) == reload


def test_an_identity_has_nothing_that_changes() -> None:
    """The same file elsewhere is the same session; another cluster, user or name is another."""
    base = {"server": "https://a", "user": "anna", "name": "shop", "file": "/a"}
    one = identify(**base)
    assert one.id == identify(**{**base, "file": "/b"}).id
    for key in ("server", "user", "name"):
        assert one.id != identify(**{**base, key: "other"}).id


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    """And it is free again when that one is gone."""
    with only_one(tmp_path / "lock") as first, only_one(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with only_one(tmp_path / "lock") as again:
        assert again


@pytest.mark.parametrize(
    ("server", "rule"),
    [
        ("https://10.0.0.1:6443", Destination(network="10.0.0.1", port=6443)),
        ("https://api.example.com", Destination(host="api.example.com", port=443)),
        ("https://[fd00::1]:6443", Destination(network="fd00::1", port=6443)),
    ],
)
def test_the_api_server_is_reached_from_this_machine(server: str, rule: Destination) -> None:
    """So kubectl works inside."""
    assert with_api_server(Outbound(), server).machine == (rule,)


def test_the_worst_fault_is_raised() -> None:
    """A wrong request before a missing verb before a conflict."""
    blockers = tuple(Blocker(fault, Problem("TP1", fault.value)) for fault in reversed(Fault))
    for skipped, error in enumerate((ConfigError, NoPermissionError, ConflictError)):
        kept = blockers[: len(blockers) - skipped]
        with pytest.raises(error):
            verdicts.raise_blockers(Plan(blockers=kept))


async def test_actions_run_side_by_side_and_in_order() -> None:
    """Two targets at once; what needs another waits for it."""
    running: list[str] = []
    order: list[str] = []

    async def apply(action: Action, waiting: object) -> str:
        running.append(type(action).__name__)
        await asyncio.sleep(0)
        order.append(type(action).__name__)
        return ""

    other = Target("shop", "deployment", "api")
    plan = Plan(
        (
            a.OpenSession("shop", WHY),
            a.ClaimTarget(WEB, "web", 1, WHY),
            a.ClaimTarget(other, "api", 1, WHY),
        )
    )
    events: list[Event] = []
    await execute(plan, apply, events.append)
    assert running == ["OpenSession", "ClaimTarget", "ClaimTarget"]
    assert order[0] == "OpenSession"
    assert sum(isinstance(event, ActionDone) for event in events) == 3


@pytest.mark.parametrize(("go_on", "tried"), [(False, 1), (True, 2)])
async def test_a_failure_stops_the_rest_but_not_the_way_back(go_on: bool, tried: int) -> None:
    """With ``go_on`` everything is tried, and the first failure is raised in the end."""
    seen: list[Action] = []
    events: list[Event] = []

    async def apply(action: Action, waiting: object) -> str:
        seen.append(action)
        if isinstance(action, a.OpenSession):
            raise TpError("no lease")
        return ""

    plan = Plan((a.OpenSession("shop", WHY), a.ClaimTarget(WEB, "web", 1, WHY)))
    with pytest.raises(TpError, match="no lease"):
        await execute(plan, apply, events.append, go_on=go_on)
    assert len(seen) == tried
    assert any(isinstance(event, ActionFailed) for event in events)


async def test_a_held_block_is_left_by_the_task_that_entered_it() -> None:
    """Whoever closes it waits for its end."""
    tasks = []

    @asynccontextmanager
    async def block() -> AsyncIterator[int]:
        tasks.append(asyncio.current_task())
        yield 7
        tasks.append(asyncio.current_task())

    async with asyncio.TaskGroup() as group:
        held = await hold(group, block())
        assert held.value == 7
        await held.close()
        await held.close()
    assert tasks[0] is tasks[1]


async def test_what_a_block_raises_on_entering_is_raised_to_who_asked() -> None:
    """And ends nothing else."""

    @asynccontextmanager
    async def block() -> AsyncIterator[int]:
        raise TpError("no")
        yield 1

    async with asyncio.TaskGroup() as group:
        with pytest.raises(TpError, match="no"):
            await hold(group, block())


async def test_the_first_interrupt_cancels_and_the_second_is_told_apart() -> None:
    """Work with patience goes on through the first."""
    interrupts = Interrupts()
    asyncio.get_running_loop().call_soon(interrupts.ask)
    with pytest.raises(Interrupted):
        await interrupts.guard(asyncio.sleep(60))

    async def quick() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await interrupts.guard(quick(), patience=interrupts.count) == "done"
    asyncio.get_running_loop().call_soon(interrupts.ask)
    with pytest.raises(Interrupted):
        await interrupts.guard(asyncio.sleep(60), patience=1)


async def test_a_session_answers_on_its_socket(tmp_path: Path) -> None:
    """One request, one answer, errors as errors; nobody where nobody lives."""

    async def answer(request: control.Message) -> control.Message:
        if request["do"] == "fail":
            raise ConflictError("held", hint="wait")
        return {"did": request["do"]}

    path = tmp_path / "s"
    async with control.serve(path, answer):
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert await control.ask(path, {"do": "this"}) == {"did": "this"}
        with pytest.raises(errors_json.RemoteError) as raised:
            await control.ask(path, {"do": "fail"})
        assert (raised.value.exit_code, raised.value.hint) == (5, "wait")
    assert await control.ask(path, {"do": "this"}) is None
