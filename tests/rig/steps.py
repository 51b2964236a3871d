"""What the rig does, said while it does it: one line a step, with its time, on stderr."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.rig.failure import RigError


@contextmanager
def step(title: str) -> Iterator[None]:
    """Prints ``title`` and how long the block took, or that it failed."""
    began = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"{title}: FAILED after {time.monotonic() - began:.1f} s")
        raise
    say(f"{title}: {time.monotonic() - began:.1f} s")


def say(text: str) -> None:
    """Prints one line to stderr; stdout belongs to the answers (a path, a reference)."""
    print(f"rig: {text}", file=sys.stderr, flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 120,
) -> str:
    """Runs a command to its end and returns its stdout; raises RigError with its last words."""
    words = [str(word) for word in argv]
    shown = " ".join(words)[:300]
    try:
        done = subprocess.run(
            words, env=env, cwd=cwd, timeout=timeout_s, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise RigError(f"{words[0]} is not on this machine (wanted for: {shown})") from error
    except subprocess.TimeoutExpired as error:
        raise RigError(f"still not done after {timeout_s:.0f} s: {shown}") from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise RigError(f"exit code {done.returncode} from: {shown}\n{last}")
    return done.stdout


def wait_until(
    ready: Callable[[], bool], what: str, timeout_s: float, *, log: Path | None = None
) -> None:
    """Calls ``ready`` every 50 ms until it says True; an OSError counts as not yet."""
    deadline = time.monotonic() + timeout_s
    last: Exception | None = None
    while True:
        try:
            if ready():
                return
        except OSError as error:
            last = error
        if time.monotonic() > deadline:
            reason = f" ({last})" if last else ""
            raise RigError(f"{what}: not after {timeout_s:.0f} s{reason}", log=log)
        time.sleep(0.05)
