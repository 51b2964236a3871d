"""Writes a session's events to its log; what processes write is not ours to keep."""

from __future__ import annotations

import logging

from tpconfig import log
from tpconfig.model import events as e
from tpconfig.model.events import Event
from tpconfig.session import describe
from tpconfig.session.executor import Emit

_log = logging.getLogger(log.EVENTS)


def logged(emit: Emit, session: str) -> Emit:
    """Return an ``emit`` that also writes to the log."""

    def both(event: Event) -> None:
        _write(event, session)
        emit(event)

    return both


def _write(event: Event, session: str) -> None:
    match event:
        case e.ProcessOutput():
            return
        case e.Planned(plan=plan, context=context, server=server):
            actions = [describe.line(action) for action in plan.actions]
            values: dict[str, object] = {"context": context, "server": server, "actions": actions}
        case e.ActionStarted(action=action):
            values = {"action": describe.line(action)}
        case e.ActionWaiting(action=action, what=what):
            values = {"action": describe.line(action), "waits_for": what}
        case e.ActionDone(action=action, took_s=took_s, detail=detail):
            values = {"action": describe.line(action), "took_s": took_s, "detail": detail}
        case e.ActionFailed(action=action, message=message):
            values = {"action": describe.line(action), "error": message}
        case e.ProcessEnded(workload=workload, code=code):
            values = {"workload": workload, "code": code}
        case e.ProcessRestarts(workload=workload, code=code, delay_s=delay_s):
            values = {"workload": workload, "code": code, "delay_s": delay_s}
        case e.LinkChanged(workload=workload, up=up, reason=reason):
            values = {"workload": workload, "up": up, "reason": reason}
        case e.FileSaved(plan=plan):
            values = {"actions": [describe.line(action) for action in plan.actions]}
        case e.FileRefused(error=error):
            values = {"error": error.message}
        case e.SessionUp(took_s=took_s) | e.FileApplied(took_s=took_s):
            values = {"took_s": took_s}
        case e.Remark(text=text):
            values = {"text": text}
        case e.SessionEnded(why=why, left=left):
            values = {"why": why, "left": left}
    failed = isinstance(event, e.ActionFailed | e.FileRefused)
    level = logging.WARNING if failed else logging.INFO
    _log.log(level, type(event).__name__, extra={"session": session, **values})
