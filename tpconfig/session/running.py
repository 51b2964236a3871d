"""A workload's command: started and ready, started again when it ends or its sources change."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from tpconfig.errors import TpError
from tpconfig.local import probes, treewatch
from tpconfig.local.backoff import Backoff
from tpconfig.local.keeper import Keeper
from tpconfig.local.process import Process, ProcessSpec, open_process
from tpconfig.model.desired import Run
from tpconfig.model.events import ProcessEnded, ProcessOutput, ProcessRestarts, Remark
from tpconfig.session.executor import Emit

POLL_S: Final = 0.03
LAST_LINES: Final = 10
SHOWN_PATHS: Final = 3


class Phase(StrEnum):
    """What the process is about."""

    NONE = "none"
    RUNNING = "running"
    WAITING = "waiting to be started again"
    HALTED = "stopped"
    ENDED = "ended"
    UNSTARTED = "could not be started"


@dataclass(frozen=True, slots=True)
class Life:
    """What a command is run with, from its start until it is stopped."""

    run: Run
    keeper: Keeper
    spec: ProcessSpec
    backoff: Backoff
    ports_open: Callable[[], Awaitable[str | None]]
    """Says what is missing until every exposed port accepts; None from then on."""


@dataclass(slots=True)
class Running:
    """The process of one workload; ``ended`` is set while it has ended for good."""

    name: str
    group: asyncio.TaskGroup
    emit: Emit
    phase: Phase = Phase.NONE
    exit_code: int | None = None
    restarts: int = 0
    started_at: float | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _prepared: bool = False
    _began_s: float | None = None
    _life: Life | None = None
    _heard: probes.Heard = field(default_factory=lambda: probes.Heard(None))
    _process: Process | None = None
    _halting: bool = False
    _supervising: asyncio.Task[None] | None = None
    _following: asyncio.Task[None] | None = None
    _tail: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def pid(self) -> int | None:
        """The process's number on this machine, while there is one."""
        alive = self._process is not None and self.phase is Phase.RUNNING
        return self._process.pid if alive and self._process is not None else None

    @property
    def begun(self) -> bool:
        """Whether its command has been started, whatever has become of it since."""
        return self.phase not in (Phase.NONE, Phase.UNSTARTED)

    @property
    def _age_s(self) -> float:
        """For how long the process has run without a break."""
        alive = self.pid is not None and self._began_s is not None
        return time.monotonic() - self._began_s if alive and self._began_s is not None else 0.0

    async def start(
        self,
        run: Run,
        keeper: Keeper,
        env: dict[str, str],
        ports_open: Callable[[], Awaitable[str | None]],
    ) -> None:
        """Run what comes before it, start it, and wait until it is ready.

        Raises:
            TpError: it ended, or was not ready in time; with the last lines that it wrote.
        """
        async with self._changing:
            spec = ProcessSpec(self.name, run.argv, env, run.cwd)
            life = self._life = Life(run, keeper, spec, Backoff(run.restart), ports_open)
            self._heard = probes.Heard(run.ready.log)
            self.restarts, self._prepared = 0, False
            self._tail.clear()
            await self._begin(life)
            await self._until_ready(life)

    async def stop(self) -> None:
        """Stop it for good, and run what comes after it; nobody waits any longer for it."""
        life, self._life = self._life, None
        async with self._changing:
            if life is None:
                return
            following, self._following = self._following, None
            await _cancelled(following)
            await self._end(life)
            self.phase, self.started_at = Phase.NONE, None
            for argv in life.run.post:
                code = await self._beside(life, argv)
                if code != 0:
                    text = f"run.post: `{probes.shown(argv)}` ended with {said(code)}"
                    self.emit(Remark(f"{self.name}: {text}"))

    async def halt(self) -> bool:
        """Stop it until it is started by hand; tell whether it was done.

        Nobody waits any longer for it to be ready.

        Raises:
            TpError: it has no command.
        """
        self._halting = True
        try:
            async with self._changing:
                life = self._alive()
                if self.phase is Phase.HALTED:
                    return False
                await self._end(life)
                self.phase, self.started_at = Phase.HALTED, None
                return True
        finally:
            self._halting = False

    async def again(self, *, only_halted: bool = False) -> bool:
        """Stop it and start it again, and wait until it is ready; tell whether it was done.

        ``only_halted``: not where it runs.

        Raises:
            TpError: it has no command, ended, or was not ready in time.
        """
        async with self._changing:
            life = self._alive()
            if only_halted and self.phase in (Phase.RUNNING, Phase.WAITING):
                return False
            await self._end(life)
            self._tail.clear()
            await self._begin(life)
            await self._until_ready(life)
            return True

    def _alive(self) -> Life:
        if self._life is None:
            raise TpError(f"{self.name} has no command that was started")
        return self._life

    async def _begin(self, life: Life) -> None:
        """Run what comes before it, where that has not been done yet, and start it."""
        self.exit_code, self.ended = None, asyncio.Event()
        self._heard.forget()
        spawned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            await self._prepare(life)
            self._supervising = self.group.create_task(self._supervise(life, spawned))
            await spawned
        except TpError:  # no end of its own: the session and the next change go on
            self.phase, self.started_at = Phase.UNSTARTED, None
            raise
        if life.run.watch and self._following is None:
            self._following = self.group.create_task(self._follow(life))

    async def _end(self, life: Life) -> None:
        """End the process, its whole group, and who would start it again by its policy."""
        process, self._process = self._process, None
        supervising, self._supervising = self._supervising, None
        if process is not None:
            number = signal.Signals[life.run.stop_signal]
            await process.stop(number, life.run.stop_timeout_s)
        await _cancelled(supervising)
        self.ended.set()

    async def _supervise(self, life: Life, spawned: asyncio.Future[None]) -> None:
        """Keep it as its policy says; while nobody has taken the process away, it ended itself."""
        while True:
            began_s = time.monotonic()
            try:
                async with open_process(life.keeper, life.spec, self._output) as process:
                    self._process, self.phase = process, Phase.RUNNING
                    self.started_at, self._began_s = time.time(), time.monotonic()
                    if not spawned.done():
                        spawned.set_result(None)
                    code = await process.wait()
                    if self._process is not process:
                        return
                    delay_s = life.backoff.after(code, time.monotonic() - began_s)
                    if delay_s is None:
                        self._ended(code)
                        await asyncio.Event().wait()  # its children live on until it is stopped
            except TpError as error:
                if not spawned.done():
                    spawned.set_exception(error)
                    return
                self.emit(Remark(f"{self.name}: not started again: {error.message}"))
                code, delay_s = 127, life.backoff.after(127, 0)
                if delay_s is None:
                    self._ended(code)
                    return
            assert delay_s is not None
            self._process, self.phase = None, Phase.WAITING
            self.restarts += 1
            self.emit(ProcessRestarts(self.name, code, delay_s))
            await asyncio.sleep(delay_s)
            self._heard.forget()

    def _ended(self, code: int) -> None:
        self.exit_code, self.phase = code, Phase.ENDED
        self.emit(ProcessEnded(self.name, code))
        self.ended.set()

    async def _until_ready(self, life: Life) -> None:
        ready = life.run.ready
        checks = probes.checks(ready, life.keeper, life.spec, self._heard, pause_s=POLL_S)
        missing = ""
        try:
            async with asyncio.timeout(ready.delay_s + ready.timeout_s):
                missing = f"it did not run for {ready.delay_s:g} s"
                while self._age_s < ready.delay_s and not self._over(life):
                    await asyncio.sleep(POLL_S)
                if not checks:
                    while (missing := await life.ports_open() or "") and not self._over(life):
                        await asyncio.sleep(POLL_S)
                for check in checks:
                    missing = check.missing
                    while not await check.holds() and not self._over(life):
                        await asyncio.sleep(check.pause_s)
        except TimeoutError:
            raise TpError(
                f"{self.name}: {missing} for {ready.timeout_s:g} s",
                hint="expose the port that the command listens on, or give it more time: "
                "run.ready.timeout",
                source=life.run.source,
                details=tuple(self._tail),
            ) from None
        early = missing or checks or ready.delay_s
        if self._life is life and self.ended.is_set() and early:
            raise TpError(
                f"{self.name}: the command ended with {said(self.exit_code)} before it was ready",
                source=life.run.source,
                details=tuple(self._tail),
            )

    def _over(self, life: Life) -> bool:
        """Tell whether it has ended for good, or is not wanted any more."""
        return self.ended.is_set() or self._halting or self._life is not life

    async def _follow(self, life: Life) -> None:
        """Start it again when its sources change; where they cannot be watched, say so."""
        try:
            await self._start_on_changes(life)
        except OSError as error:  # no inotify watch is left, for one
            text = f"what it watches cannot be watched: {error.strerror or error}"
            self.emit(Remark(f"{self.name}: {text} (`tp restart {self.name}` starts it again)"))

    async def _start_on_changes(self, life: Life) -> None:
        """Start it again whenever what is watched has changed, after a build that succeeds."""
        async for paths in treewatch.changes([Path(one) for one in life.run.watch]):
            if self.phase is Phase.HALTED:
                continue
            near = [os.path.relpath(path, life.run.cwd) for path in paths]
            more = f" and {len(near) - SHOWN_PATHS} more" if len(near) > SHOWN_PATHS else ""
            what = f"{', '.join(near[:SHOWN_PATHS])}{more} changed"
            if life.run.build:
                self.emit(Remark(f"{self.name}: {what}: building"))
                code = await self._beside(life, life.run.build)
                if code != 0:
                    text = f"the build ended with {said(code)}: the old process stays"
                    self.emit(Remark(f"{self.name}: {text}"))
                    continue
            self.emit(Remark(f"{self.name}: {what}: starting it again"))
            try:
                await self.again()
            except TpError as error:
                self.emit(Remark(error.message))

    async def _prepare(self, life: Life) -> None:
        for number, argv in enumerate(() if self._prepared else life.run.pre):
            code = await self._beside(life, argv)
            if code != 0:
                command = probes.shown(argv)
                raise TpError(
                    f"{self.name}: run.pre.{number}: `{command}` ended with {said(code)}",
                    source=life.run.source,
                    details=tuple(self._tail),
                )
        self._prepared = True

    async def _beside(self, life: Life, argv: tuple[str, ...]) -> int | None:
        """Run another command in the same world; what it writes is shown as the process's is."""
        try:
            return await probes.run_once(
                life.keeper, replace(life.spec, argv=argv), self._output_beside
            )
        except TpError as error:
            self.emit(Remark(f"{self.name}: {error.message}"))
            return 127

    def _output(self, workload: str, stream: str, line: bytes) -> None:
        self._heard.line(line)
        self._output_beside(workload, stream, line)

    def _output_beside(self, workload: str, stream: str, line: bytes) -> None:
        self._tail.append(line.decode(errors="replace"))
        self.emit(ProcessOutput(workload, stream, line))


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait({task})


def said(code: int | None) -> str:
    """Say in words how a process ended."""
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
