"""A workload's process as the session sees it: what ended by itself, and what was stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tpconfig.errors import TpError
from tpconfig.local import state
from tpconfig.local.keeper import open_keeper
from tpconfig.local.leftovers import Leftovers
from tpconfig.model.desired import Outbound, Run, Workload
from tpconfig.model.events import Event, ProcessEnded
from tpconfig.model.target import Target
from tpconfig.session.here import Here
from tpconfig.session.hold import hold
from tpconfig.session.hosted import Hosted
from tpconfig.session.running import Phase


@asynccontextmanager
async def hosted(
    tmp_path: Path, *command: str, pre: tuple[tuple[str, ...], ...] = ()
) -> AsyncIterator[tuple[Hosted, list[Event]]]:
    """A workload without a network of its own, ready to start a command."""
    events: list[Event] = []
    paths = state.open_session(state.prepare(tmp_path / "s"), "0000aaaa")
    async with asyncio.TaskGroup() as group:
        here = Here(
            session="0000aaaa",
            group=group,
            state=paths,
            leftovers=Leftovers(paths),
            method="none",
            environ={"PATH": "/usr/bin:/bin"},
            emit=events.append,
            outbound=Outbound(),
            api_server="https://here",
            reconnect_s=300,
        )
        run = Run(command, str(tmp_path), pre=pre)
        one = Hosted(Workload("web", Target("shop", "deployment", "web"), run=run), here)
        one._keeper = await hold(group, open_keeper(None, state_dir=paths.folder))
        yield one, events
        await one.stop()
        await one._close_keeper()


async def test_a_process_that_ends_by_itself_has_an_exit_code(tmp_path: Path) -> None:
    """It is said, and what waits for the end of a process hears of it."""
    async with hosted(tmp_path, "sh", "-c", "exit 3") as (one, events), asyncio.timeout(20):
        await one.start("f")
        await one.running.ended.wait()
        assert one.exit_code == 3
        assert ProcessEnded("web", 3) in events


async def test_a_process_that_is_stopped_has_none(tmp_path: Path) -> None:
    """A reload stops and starts it: a session that ends with its processes must not end then."""
    async with hosted(tmp_path, "sleep", "60") as (one, events), asyncio.timeout(20):
        await one.start("f")
        first = one.running.ended
        await one.stop()
        await first.wait()
        assert one.exit_code is None
        await one.start("g")
        assert not one.running.ended.is_set()
        assert not any(isinstance(event, ProcessEnded) for event in events)


@pytest.mark.parametrize(
    ("command", "pre"),
    [
        (("sleep", "60"), (("sh", "-c", "echo x >> n; test -e there"),)),
        (("./there", "60"), (("sh", "-c", "echo x >> n"),)),
    ],
)
async def test_what_could_not_be_started_is_not_taken_for_started(
    tmp_path: Path, command: tuple[str, ...], pre: tuple[tuple[str, ...], ...]
) -> None:
    """The next plan starts it; by hand it is started as well, after what comes before it."""
    async with hosted(tmp_path, *command, pre=pre) as (one, _), asyncio.timeout(20):
        with pytest.raises(TpError):
            await one.start("f")
        assert (one.process, one.running.phase) == (None, Phase.UNSTARTED)
        (tmp_path / "there").symlink_to("/bin/sleep")
        assert await one.running.again(only_halted=True)
        assert (one.process, one.running.phase) == ("f", Phase.RUNNING)
        tries = 2 if command[0] == "sleep" else 1  # it is not repeated where it has succeeded
        assert (tmp_path / "n").read_text() == "x\n" * tries
        await one.running.again()
        assert (tmp_path / "n").read_text() == "x\n" * tries
