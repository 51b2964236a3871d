"""A workload's command over its whole life, with real processes."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tpconfig.errors import TpError
from tpconfig.local import treewatch
from tpconfig.local.keeper import Keeper, open_keeper
from tpconfig.model.desired import Ready, Run
from tpconfig.model.events import Event, ProcessEnded, ProcessOutput, ProcessRestarts, Remark
from tpconfig.session.running import Phase, Running

FOREVER = "sleep 600"


def shell(text: str) -> tuple[str, ...]:
    """A command as the file's text gives it."""
    return ("/bin/sh", "-c", text)


async def no_ports() -> str | None:
    """Nothing is exposed."""
    return None


async def never_open() -> str | None:
    """A port that nobody listens on."""
    return "nothing listened on 3000"


@dataclass
class Stage:
    """One workload's process, in a folder, with everything that it told."""

    folder: Path
    keeper: Keeper
    running: Running
    events: list[Event] = field(default_factory=list)
    written: bytes = b""
    count: int = 0

    def take(self, event: Event) -> None:
        """Keep what is told; of a flood its beginning and its size."""
        if isinstance(event, ProcessOutput):
            self.count += len(event.line)
            if self.count > 1_000_000:
                return
            self.written += event.line
        self.events.append(event)

    async def start(
        self, text: str, *, closed: Callable[[], object] = no_ports, **wish: object
    ) -> None:
        """Start a command of the shell's."""
        run = replace(Run(shell(text), str(self.folder)), **wish)  # type: ignore[arg-type]
        env = {"PATH": os.environ["PATH"]}
        await self.running.start(run, self.keeper, env, closed)  # type: ignore[arg-type]

    def lines(self) -> list[str]:
        """What was written, by whomever."""
        return [e.line.decode() for e in self.events if isinstance(e, ProcessOutput)]

    def remarks(self) -> list[str]:
        """What was said."""
        return [event.text for event in self.events if isinstance(event, Remark)]

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for a fact."""
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage that is left empty."""
    async with (
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
        open_keeper(None, state_dir=tmp_path / "s") as keeper,
    ):
        running = Running("web", group, lambda event: here.take(event))
        here = Stage(tmp_path, keeper, running)
        yield here
        await running.stop()


async def test_a_crash_is_followed_by_another_start(tmp_path: Path) -> None:
    """Until it is ready, within the time that it has; each end is told with its delay."""
    async with stage(tmp_path) as here:
        counting = 'echo x >> n; test $(wc -l < n) -ge 3 || exit 7; echo "listening on 3000"; '
        await here.start(
            counting + FOREVER, restart="on-failure", ready=Ready(log=r"listening on \d+")
        )
        told = [e for e in here.events if isinstance(e, ProcessRestarts)]
        assert told == [ProcessRestarts("web", 7, 0.5), ProcessRestarts("web", 7, 1.0)]
        assert (here.running.restarts, here.running.phase) == (2, Phase.RUNNING)
        assert not any(isinstance(event, ProcessEnded) for event in here.events)


async def test_an_end_that_is_no_failure_is_the_end(tmp_path: Path) -> None:
    """``on-failure`` leaves it at that; the exit code is known."""
    async with stage(tmp_path) as here:
        await here.start("true", restart="on-failure")
        await here.running.ended.wait()
        assert (here.running.exit_code, here.running.phase) == (0, Phase.ENDED)


async def test_who_ends_before_being_ready_fails(tmp_path: Path) -> None:
    """With its exit code and the last lines."""
    async with stage(tmp_path) as here:
        with pytest.raises(TpError) as raised:
            await here.start("echo no such table; exit 3", closed=never_open)
        assert "ended with exit code 3 before it was ready" in raised.value.message
        assert raised.value.details == ("no such table",)


SERVER = f"exec {sys.executable} -m http.server --bind 127.0.0.1 "


@pytest.mark.parametrize("check", ["http", "port", "exec", "log", "all"])
async def test_every_check_is_waited_for(tmp_path: Path, check: str) -> None:
    """An address, a port, a command, a line; all that are given."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wishes = {
        "http": Ready(http=f"http://127.0.0.1:{port}/", timeout_s=30),
        "port": Ready(port=port, timeout_s=30),
        "exec": Ready(exec=shell("test -f there"), timeout_s=30),
        "log": Ready(log="^it is", timeout_s=30),
    }
    ready = wishes.get(check) or Ready(
        wishes["http"].http, port, wishes["exec"].exec, "^it is", timeout_s=30
    )
    async with stage(tmp_path) as here:
        await here.start(f"sleep 0.3; touch there; echo it is; {SERVER}{port}", ready=ready)
        if ready.port or ready.http:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            del reader
        assert (tmp_path / "there").exists()
        assert ready.log is None or "it is" in here.lines()


MISSING = [
    (Ready(http="http://127.0.0.1:1/", timeout_s=0.4), "http://127.0.0.1:1/ did not answer"),
    (Ready(port=1, timeout_s=0.2), "nothing listened on 1"),
    (Ready(exec=shell("exit 1"), timeout_s=0.4), "`exit 1` did not exit with 0"),
    (Ready(log="never", timeout_s=0.2), "no line matched `never`"),
    (Ready(timeout_s=0.2), "nothing listened on 3000"),
]


@pytest.mark.parametrize(("ready", "said"), MISSING, ids=[said for _, said in MISSING])
async def test_what_is_missing_is_said(tmp_path: Path, ready: Ready, said: str) -> None:
    """When the time is over."""
    async with stage(tmp_path) as here:
        with pytest.raises(TpError) as raised:
            await here.start(FOREVER, ready=ready, closed=never_open)
        assert raised.value.message.startswith(f"web: {said}")


async def test_hooks_run_around_it(tmp_path: Path) -> None:
    """Before it in order, after it once; not again when it is started again."""
    async with stage(tmp_path) as here:
        wish = {
            "pre": (shell("echo a >> log"), shell("echo b >> log")),
            "post": (shell("echo z >> log"),),
        }
        await here.start(f"echo run >> log; {FOREVER}", **wish)
        await here.until(lambda: (tmp_path / "log").read_text().count("run") == 1)
        await here.running.again()
        await here.until(lambda: (tmp_path / "log").read_text().count("run") == 2)
        await here.running.stop()
        assert (tmp_path / "log").read_text().split() == ["a", "b", "run", "run", "z"]


async def test_a_hook_that_fails_starts_nothing(tmp_path: Path) -> None:
    """It is named, with its place in the file and what it wrote."""
    async with stage(tmp_path) as here:
        wish = {"pre": (shell("true"), shell("echo broken; exit 4"))}
        with pytest.raises(TpError) as raised:
            await here.start("touch started", **wish)
        assert raised.value.message == (
            "web: run.pre.1: `echo broken; exit 4` ended with exit code 4"
        )
        assert raised.value.details == ("broken",)
        assert not (tmp_path / "started").exists()


async def test_a_change_starts_it_again(tmp_path: Path) -> None:
    """After a build that succeeds; one that fails leaves the old process as it is."""
    source = tmp_path / "src"
    source.mkdir()
    (source / "app").write_text("1")
    async with stage(tmp_path) as here:
        wish = {"watch": (str(source),), "build": shell("grep -q good src/app && cp src/app built")}
        await here.start(f"cat built; {FOREVER}", **wish)
        first = here.running.pid
        await asyncio.sleep(0.3)  # until the watch is there: there is no other sign of it
        (source / "app").write_text("bad")
        await here.until(lambda: any("the old process stays" in one for one in here.remarks()))
        assert here.running.pid == first
        (source / "app").write_text("good 2\n")
        await here.until(lambda: "good 2" in here.lines())
        assert here.running.pid not in (first, None)
        assert any("src/app changed: building" in one for one in here.remarks())


async def test_what_cannot_be_watched_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree that is too large for the machine's watches ends no session."""

    class NoWatchLeft(treewatch.Observer):  # type: ignore[misc]
        def start(self) -> None:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(treewatch, "Observer", NoWatchLeft)
    async with stage(tmp_path) as here:
        await here.start(FOREVER, watch=(str(tmp_path),))
        await here.until(here.remarks)
        assert here.remarks() == [
            "web: what it watches cannot be watched: inotify watch limit reached "
            "(`tp restart web` starts it again)"
        ]
        assert here.running.phase is Phase.RUNNING


async def test_it_is_stopped_and_started_by_hand(tmp_path: Path) -> None:
    """What was stopped stays so until it is asked for; what runs is not started twice."""
    async with stage(tmp_path) as here:
        await here.start(FOREVER, restart="always")
        first = here.running.pid
        assert not await here.running.again(only_halted=True)
        assert here.running.pid == first
        await here.running.halt()
        assert (here.running.phase, here.running.pid) == (Phase.HALTED, None)
        assert await here.running.again(only_halted=True)
        assert here.running.phase is Phase.RUNNING
        assert not any(isinstance(e, ProcessEnded | ProcessRestarts) for e in here.events)


@pytest.mark.parametrize("how", ["stop", "halt"])
async def test_stopping_does_not_wait_for_readiness(tmp_path: Path, how: str) -> None:
    """Who waits for a process that is never ready is let go when it is not wanted any more."""
    async with stage(tmp_path) as here:
        starting = asyncio.create_task(
            here.start(FOREVER, ready=Ready(timeout_s=600), closed=never_open)
        )
        await here.until(lambda: here.running.pid)
        async with asyncio.timeout(10):
            await getattr(here.running, how)()
            await starting


async def test_a_delay_is_a_life_without_an_end(tmp_path: Path) -> None:
    """A first life that ends early counts for nothing; ready is who has lived for so long."""
    async with stage(tmp_path) as here:
        crashing = "echo x >> n; test $(wc -l < n) -ge 2 || { sleep 0.4; exit 7; }; "
        began_s = time.monotonic()
        ready = Ready(delay_s=0.6)
        await here.start(crashing + FOREVER, restart="on-failure", ready=ready)
        assert (here.running.restarts, here.running.phase) == (1, Phase.RUNNING)
        assert time.monotonic() - began_s >= 0.4 + 0.5 + 0.6


async def test_who_ends_within_its_delay_fails(tmp_path: Path) -> None:
    """Also where no port and no other check is waited for."""
    async with stage(tmp_path) as here:
        with pytest.raises(TpError, match="ended with exit code 3 before it was ready"):
            await here.start("exit 3", ready=Ready(delay_s=30))


async def test_a_command_that_is_gone_is_not_running(tmp_path: Path) -> None:
    """Where it cannot be started again that is said, and it can be once it is there again."""
    folder = tmp_path / "web"
    folder.mkdir()
    async with stage(tmp_path) as here:
        await here.start(FOREVER, cwd=str(folder))
        folder.rmdir()
        with pytest.raises(TpError):
            await here.running.again()
        assert (here.running.phase, here.running.pid) == (Phase.UNSTARTED, None)
        folder.mkdir()
        assert await here.running.again(only_halted=True)
        assert (here.running.phase, here.running.exit_code) == (Phase.RUNNING, None)


NASTY = {
    "ignores SIGTERM": "trap '' TERM; echo up; while :; do sleep 0.05; done",
    "forks away": "(setsid sleep 601 &) ; echo up; sleep 602",
    "closes its output": "echo up; exec >&- 2>&-; sleep 603",
    "writes without a newline": "printf up; sleep 604",
    "floods": "echo up; head -c 100000000 /dev/zero | tr '\\0' x; sleep 605",
}


@pytest.mark.parametrize("how", NASTY)
async def test_nothing_is_left_of_a_nasty_child(tmp_path: Path, how: str) -> None:
    """It is stopped in time, and nobody of it lives on when its world is closed."""
    mark = f"TP_TEST_MARK={tmp_path}"
    async with stage(tmp_path) as here:
        run = Run(shell(NASTY[how]), str(tmp_path), stop_timeout_s=0.3)
        env = {"PATH": os.environ["PATH"], "TP_TEST_MARK": str(tmp_path)}
        await here.running.start(run, here.keeper, env, no_ports)
        await here.until(lambda: marked(mark))
        if how == "floods":  # the last of it has no newline yet
            await here.until(lambda: here.count >= 99_900_000)
        elif how != "writes without a newline":
            await here.until(lambda: here.written.startswith(b"up"))
        await here.running.stop()
        assert here.written.startswith(b"up")
    assert not marked(mark)


def marked(mark: str) -> list[str]:
    """The processes that have a mark in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(process.name)
        except (OSError, ValueError):
            continue
    return found
