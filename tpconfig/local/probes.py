"""Whether a process is ready: the checks of ``run.ready``, made where the process lives."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tpconfig.local.keeper import Keeper
from tpconfig.local.process import ProcessSpec, Sink, open_process
from tpconfig.model.desired import Ready

PROBE_TIMEOUT_S: Final = 10.0
"""How long one try of a command or an address may take."""

PROGRAM_PAUSE_S: Final = 0.25
"""Between two tries of what starts a program each time."""

_ASK: Final = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])).close()
except (OSError, ValueError, urllib.error.URLError):
    sys.exit(1)
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to hold; ``missing`` says in the past tense that it never did."""

    missing: str
    holds: Callable[[], Awaitable[bool]]
    pause_s: float


class Heard:
    """Whether a line of the output has matched."""

    def __init__(self, pattern: str | None) -> None:
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._matched = False

    def line(self, line: bytes) -> None:
        """Take a line."""
        if self._pattern is not None and not self._matched:
            self._matched = self._pattern.search(line.decode(errors="replace")) is not None

    def forget(self) -> None:
        """Begin anew, with another process."""
        self._matched = False

    async def matched(self) -> bool:
        """Tell whether there was such a line."""
        return self._matched


def checks(
    ready: Ready, keeper: Keeper, spec: ProcessSpec, heard: Heard, *, pause_s: float
) -> list[Check]:
    """Return what ``ready`` asks for, in the order in which it is cheap to find out."""
    found: list[Check] = []
    if ready.port is not None:
        port = ready.port

        async def listens() -> bool:
            sock = await keeper.connect(port)
            if sock is not None:
                sock.close()
            return sock is not None

        found.append(Check(f"nothing listened on {port}", listens, pause_s))
    if ready.log is not None:
        found.append(Check(f"no line matched `{ready.log}`", heard.matched, pause_s))
    if ready.http is not None:
        ask = (sys.executable, "-I", "-S", "-c", _ASK, ready.http, str(PROBE_TIMEOUT_S))
        text = f"{ready.http} did not answer with a status below 400"
        found.append(_program(text, keeper, replace(spec, argv=ask)))
    if ready.exec:
        text = f"`{shown(ready.exec)}` did not exit with 0"
        found.append(_program(text, keeper, replace(spec, argv=ready.exec)))
    return found


def shown(argv: Sequence[str]) -> str:
    """Return a command as the file has it."""
    return argv[2] if tuple(argv[:2]) == ("/bin/sh", "-c") else " ".join(argv)


async def run_once(
    keeper: Keeper, spec: ProcessSpec, sink: Sink, *, timeout_s: float | None = None
) -> int | None:
    """Run a command beside a process to its end; return its exit code, None past the time.

    Raises:
        UsageError: there is no such command or folder.
    """
    async with open_process(keeper, spec, sink) as process:
        try:
            async with asyncio.timeout(timeout_s):
                return await process.wait()
        except TimeoutError:
            return None


def _program(missing: str, keeper: Keeper, spec: ProcessSpec) -> Check:
    async def succeeds() -> bool:
        return await run_once(keeper, spec, _unheard, timeout_s=PROBE_TIMEOUT_S) == 0

    return Check(missing, succeeds, PROGRAM_PAUSE_S)


def _unheard(workload: str, stream: str, line: bytes) -> None:
    """What a check writes is nobody's."""
