"""A workload's command: a supervised child whose output arrives here line by line."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from tpconfig.local.keeper import Child, Command, Keeper

Sink = Callable[[str, str, bytes], None]
"""Takes a workload's name, ``stdout`` or ``stderr``, and a line without its newline."""

MAX_LINE: Final = 64 * 1024
"""Bytes; a longer line arrives in pieces, so that memory stays bounded."""

_CHUNK: Final = 32 * 1024
_PIPE_CHUNKS: Final = 64
_POLL_S: Final = 0.02
_KILL_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run for a workload; ``cwd`` is absolute."""

    workload: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str


class LineSplitter:
    """Cuts a stream of bytes into lines; what has no end yet waits for it, up to a limit."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes; a line past the limit comes in pieces."""
        *ended, rest = (self._rest + data).split(b"\n")
        lines: list[bytes] = []
        for line in ended:
            lines += self._cut(line)
        *pieces, self._rest = self._cut(rest)
        return lines + pieces

    def _cut(self, line: bytes) -> list[bytes]:
        """Cut a line into pieces of the limit; one that fits is one piece, even if empty."""
        if len(line) <= self._limit:
            return [line]
        return [line[at : at + self._limit] for at in range(0, len(line), self._limit)]

    def flush(self) -> list[bytes]:
        """Return what was written last and not ended."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


class _Output:
    """One stream of a child, read a bounded piece at a time so that a flood starves nobody."""

    def __init__(self, descriptor: int, emit: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._emit = emit
        self._lines = LineSplitter()
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._loop.add_reader(descriptor, self._read)

    def drain(self) -> None:
        """Take what is in the pipe now: everything that a child wrote before it ended."""
        for _ in range(_PIPE_CHUNKS):
            if not self._open or not self._read():
                return

    def close(self) -> None:
        """Stop reading, with what has no newline as the last line."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        for line in self._lines.flush():
            self._emit(line)

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return False
        for line in self._lines.feed(data):
            self._emit(line)
        if not data:
            self.close()
        return bool(data)


class Process:
    """A running command; see `open_process`."""

    def __init__(self, child: Child, outputs: tuple[_Output, ...]) -> None:
        self.pid = child.pid
        self._child = child
        self._outputs = outputs
        self._code: int | None = None

    @property
    def returncode(self) -> int | None:
        """The exit code once `wait` has seen it; ``-N`` where signal N ended it."""
        return self._code

    async def wait(self) -> int:
        """Wait until the command ends; all that it wrote has reached the sink then."""
        code = await self._child.wait()
        if self._code is None:
            self._code = code
            for output in self._outputs:
                output.drain()
        return code

    async def stop(self, number: int = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """Ask the command to end, its whole process group; kill what is left at the timeout.

        Returns when nobody of the group is left, so that its ports are free.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if await self._child.signal(number):
                    await self._child.signal(signal.SIGCONT)
                await self._child.wait()
                await self._until_gone(0)
        except TimeoutError:
            pass
        return await self.kill()

    async def kill(self) -> int:
        """Kill the whole process group and wait until it is gone."""
        try:
            async with asyncio.timeout(_KILL_S):
                await self._until_gone(signal.SIGKILL)
        except TimeoutError:
            pass  # a process that the kernel holds in a system call
        return await self.wait()

    async def _until_gone(self, number: int) -> None:
        alive = await self._child.signal(number)
        while alive:
            await asyncio.sleep(_POLL_S)
            alive = await self._child.signal(number)

    def close(self) -> None:
        """Stop listening to what the command writes."""
        for output in self._outputs:
            output.close()


@asynccontextmanager
async def open_process(keeper: Keeper, spec: ProcessSpec, sink: Sink) -> AsyncIterator[Process]:
    """Run a command in a process group of its own; the group is killed when the block is left.

    Standard input is empty. The sink is called from the event loop and must not wait: while it
    is slow, the command waits, and nothing is held in memory.

    Raises:
        UsageError: there is no such command or folder.
    """
    outputs: list[_Output] = []
    write_ends: list[int] = []
    stdin = os.open(os.devnull, os.O_RDONLY)
    try:
        for stream in ("stdout", "stderr"):
            read_end, write_end = os.pipe()
            write_ends.append(write_end)
            outputs.append(_Output(read_end, _emitter(sink, spec.workload, stream)))
        stdout, stderr = write_ends
        command = Command(spec.argv, spec.env, spec.cwd, stdin, stdout, stderr)
        child = await keeper.spawn(command)
    except BaseException:
        for output in outputs:
            output.close()
        raise
    finally:
        for descriptor in (stdin, *write_ends):
            os.close(descriptor)
    process = Process(child, tuple(outputs))
    try:
        yield process
    finally:
        try:
            await process.kill()
        finally:
            process.close()


def _emitter(sink: Sink, workload: str, stream: str) -> Callable[[bytes], None]:
    return lambda line: sink(workload, stream, line)
