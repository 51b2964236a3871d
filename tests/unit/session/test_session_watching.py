"""A session goes on, whatever becomes of its watching."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from tpconfig import names
from tpconfig.cluster.failures import NotFoundError, Refusal
from tpconfig.cluster.watch import Event, EventType
from tpconfig.errors import NoPermissionError, TpError
from tpconfig.model.events import Remark
from tpconfig.model.target import Target
from tpconfig.session import drift, holding
from tpconfig.session.drift import Drift
from tpconfig.session.holding import End, Holding, Why


def held() -> tuple[Holding, list[str]]:
    """Return a session that is held, and what it says."""
    said: list[str] = []

    def emit(event: Any) -> None:
        assert isinstance(event, Remark)
        said.append(event.text)

    session: Any = SimpleNamespace(emit=emit)
    return Holding(session), said


async def test_what_may_not_be_watched_is_said_once() -> None:
    """And is done without."""
    one, said = held()

    async def forbidden() -> None:
        raise NoPermissionError("you may not watch services")

    await one._watch(forbidden)
    assert said == ["what others do here is not noticed: you may not watch services"]


async def test_a_failure_is_said_and_watching_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that is away for a moment ends no session."""
    monkeypatch.setattr(holding, "RETRY_S", 0.0)
    one, said = held()
    again = asyncio.Event()

    async def failing() -> None:
        if said:
            again.set()
            await asyncio.Event().wait()
        raise TpError("gone")

    task = asyncio.ensure_future(one._watch(failing))
    await again.wait()
    task.cancel()
    assert said == ["looking at the cluster failed: gone"]


async def test_what_was_lost_on_the_way_shows_in_the_exit_code() -> None:
    """A target that somebody deleted makes it 1, whatever else ended the session well."""
    one, _ = held()
    one.lost = True
    one.end(End(Why.ASKED))
    one.end(End(Why.ENDED_ELSEWHERE, code=5))
    assert one.ended.result() == End(Why.ASKED, code=1)


async def test_an_edit_before_the_first_look_is_noticed() -> None:
    """The agents were built from a template that is known: who is quick is seen as well."""
    target = Target("shop", "deployment", "web")
    said: list[str] = []
    session: Any = SimpleNamespace(
        templates={target: "what the agent was built from"},
        yielded={},
        emit=lambda event: said.append(event.text),
    )
    converged: list[int] = []

    async def converge() -> None:
        converged.append(1)

    async def lost(_: Target) -> None:
        raise AssertionError

    manifest = {
        "metadata": {"annotations": {names.ANNOTATION_RESTORE: "{}"}},
        "spec": {"replicas": 0, "template": {"spec": {"containers": []}}},
    }
    drift = Drift(session, converge, lost)
    await drift._changed(target, manifest)
    await drift._changed(target, manifest)
    assert len(converged) == 1
    assert said == [
        "the pod template of deployment/web was edited by somebody: a new agent is cloned from it"
    ]


class Emptied:
    """A cluster out of which everything was deleted before the first look at it."""

    async def get(self, path: str) -> Any:
        raise NotFoundError(Refusal(404, "NotFound", "not found", {}, "GET", path))

    async def list(self, path: str) -> list[Any]:
        return []


async def nothing(*args: Any, **more: Any) -> AsyncIterator[Event]:
    """A watch of a collection that is empty from the first."""
    yield Event(EventType.SYNCED, {})


@pytest.mark.parametrize("what", ["target", "service"])
async def test_what_is_deleted_before_the_first_look_is_noticed(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """No event tells of it: it is missed among what there is."""
    target = Target("shop", "deployment", "web")
    said: list[str] = []
    hosted = SimpleNamespace(serving=True, workload=SimpleNamespace(target=target))
    session: Any = SimpleNamespace(
        api=Emptied(),
        identity=SimpleNamespace(id="ada"),
        busy=False,
        yielded={},
        services=frozenset({("shop", "web"), ("elsewhere", "other")}),
        machine=SimpleNamespace(hosted={"web": hosted}),
        emit=lambda event: said.append(event.text),
    )

    async def converge() -> None:
        raise AssertionError

    async def lost(gone: Target) -> None:
        said.append(f"lost {gone}")

    monkeypatch.setattr(drift, "watch", nothing)
    watching = Drift(session, converge, lost)
    if what == "target":
        await watching.targets("shop", "deployment")
        assert said == ["lost deployment/web"]
    else:
        await watching.services("shop")
        assert said == ["service web was deleted: it calls nobody any more"]


ENDS: list[tuple[dict[str, Any], list[int | None], End | None]] = [
    ({}, [None, 1], None),
    ({}, [0, 1], End(Why.PROCESSES_ENDED, code=1)),
    ({}, [0, 0], End(Why.PROCESSES_ENDED)),
    ({"stay": True}, [0, 1], None),
    ({"abort_on_exit": True}, [None, None], None),
    ({"abort_on_exit": True}, [None, 0], End(Why.ONE_ENDED)),
    ({"abort_on_exit": True, "stay": True}, [None, 7], End(Why.ONE_ENDED, code=1)),
    ({"exit_code_from": "w0"}, [None, 7], None),
    ({"exit_code_from": "w1"}, [None, 7], End(Why.NAMED_ENDED, code=7)),
]
"""How the session was asked, what its processes ended with, and how it ends by that."""


@pytest.mark.parametrize(("asked", "codes", "end"), ENDS)
async def test_the_end_of_processes_may_be_the_sessions(
    asked: dict[str, Any], codes: list[int | None], end: End | None
) -> None:
    """Of all of them, of any, of the one that was named; and with -d of none."""
    hosted = {
        f"w{number}": SimpleNamespace(exit_code=code, workload=SimpleNamespace(run=True))
        for number, code in enumerate(codes)
    }
    session: Any = SimpleNamespace(machine=SimpleNamespace(hosted=hosted))
    one = Holding(session, **asked)
    looking = asyncio.ensure_future(one._processes())
    await asyncio.sleep(0)
    await asyncio.sleep(holding.POLL_S * 1.5)
    looking.cancel()
    assert (one.ended.result() if one.ended.done() else None) == end
