"""``tp wait``: until a session is as somebody needs it, or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final

from tpconfig.errors import TpError, UsageError
from tpconfig.session import asking, control
from tpconfig.session.running import Phase
from tpconfig.session.wish import Reload

LOOK_S: Final = 0.2


class NotInTimeError(TpError):
    """It did not come about in the time that was given."""


async def until_up(
    reload: Reload, environ: Mapping[str, str], names: Collection[str], *, timeout_s: float
) -> control.Message:
    """Wait until these workloads, or all, are linked and their processes run; return the status.

    Raises:
        NotInTimeError: with what is missing.
        UsageError: the session has no such workload.
    """
    missing = asking.NOT_UP
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                status = await _status(reload, environ)
                if status is not None:
                    missing = _missing(status, names)
                    if not missing:
                        return status
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise NotInTimeError(f"not up after {timeout_s:g} s: {missing}") from None


async def until_down(reload: Reload, environ: Mapping[str, str], *, timeout_s: float) -> None:
    """Wait until the session has ended.

    Raises:
        NotInTimeError: it goes on.
    """
    try:
        async with asyncio.timeout(timeout_s):
            while await _status(reload, environ) is not None:
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise NotInTimeError(f"the session is still up after {timeout_s:g} s") from None


async def _status(reload: Reload, environ: Mapping[str, str]) -> control.Message | None:
    try:
        return await asking.ask(reload, environ, {"do": "status"})
    except asking.NotUpError:
        return None


def _missing(status: Mapping[str, Any], names: Collection[str]) -> str:
    """Say what is not there yet; empty where everything is."""
    found = {one["name"]: one for one in status["workloads"]}
    for name in names:
        if name not in found:
            raise UsageError(f"no workload `{name}` is up", hint=f"up: {', '.join(sorted(found))}")
    for name in names or sorted(found):
        one = found[name]
        if one["link"] != "up":
            return f"{name} has no link to its agent"
        if one["process"] not in (None, Phase.RUNNING.value):
            return f"the process of {name} is {one['process']}"
    return "" if found else "the session has no workload yet"
