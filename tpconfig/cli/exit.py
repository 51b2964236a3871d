"""The edge: every error becomes a message and an exit code here, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from tpconfig.cli import early
from tpconfig.cli.options import wants_color, wants_json
from tpconfig.errors import ConfigError, ExitCode, TpError

T = TypeVar("T")

_EXPLAINED: Final = 3
"""Codes whose pages are named below the problems."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine on the fastest event loop there is."""
    try:
        import uvloop
    except ImportError:
        early.give_back()
        return asyncio.run(work)
    early.give_back()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def leave_the_pipe() -> None:
    """Write nothing more where nobody reads: the interpreter would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def flatten(error: BaseException) -> BaseException:
    """Return the error that a task group has wrapped: a user's before a bug's."""
    while isinstance(error, BaseExceptionGroup):
        inner = [flatten(one) for one in error.exceptions]
        known = [one for one in inner if isinstance(one, TpError)]
        error = (known or inner)[0]
    return error


def fail(error: BaseException) -> NoReturn:
    """Say what went wrong and leave with its exit code."""
    text, code = explain(flatten(error))
    if text:
        print(text, file=sys.stderr)
    sys.exit(code)


def explain(error: BaseException) -> tuple[str, int]:
    """Return an error's message and exit code; for a bug, write a report and name it."""
    if isinstance(error, TpError):
        return _said(error), int(error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", int(ExitCode.INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return "", int(ExitCode.FAILED)
    return _bug(error), int(ExitCode.BUG)


def _said(error: TpError) -> str:
    """Return an error for whoever reads: a person, or with ``--json`` a program."""
    if wants_json():
        from tpconfig.cli import diagnostics_json

        return diagnostics_json.render(error)
    from tpconfig.cli.diagnostics import render
    from tpconfig.config import codes

    text = render(error, color=wants_color(sys.stderr.isatty()))
    problems = error.problems if isinstance(error, ConfigError) else ()
    found = [*(problem.code for problem in problems), error.code]
    known = [code for code in found if code in codes.ALL]
    pages = list(dict.fromkeys(known))[:_EXPLAINED]
    more = "".join(f"\nmore: tp explain {code}" for code in pages)
    return text + more


def _bug(error: BaseException) -> str:
    """Write a report without local variables (they could hold secrets); return the message."""
    import tpconfig
    from tpconfig.local import state

    lines = [f"tp {tpconfig.__version__}, Python {sys.version}", ""]
    lines += traceback.format_exception(error)
    try:
        folder = state.prepare(state.folder(os.environ))
        report = Path(folder, f"bug-{os.getpid()}.txt")
        report.write_text("\n".join(lines))
        where = f"a report is in {report}"
    except (OSError, TpError):
        where = "".join(lines)
    return f"error: this is a bug in tp: {type(error).__name__}: {error}\n{where}"
