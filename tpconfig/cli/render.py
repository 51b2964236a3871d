"""How plans and events look, to people and as JSON; the one view of each."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import asdict, is_dataclass
from typing import Any, TextIO, assert_never

from tpconfig.cli.diagnostics import render as render_error
from tpconfig.cli.options import wants_color
from tpconfig.model import events as e
from tpconfig.model.events import Event
from tpconfig.model.plan import Plan
from tpconfig.planner import permissions
from tpconfig.session import describe, planfile

_GREEN, _RED, _YELLOW, _DIM, _OFF = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_PREFIX_COLORS = ("\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[33m", "\x1b[32m")
_INDENT = " " * 17
_SIGN_COLORS = {"+": _GREEN, "-": _RED, "~": _YELLOW}


class EventView:
    """Shows events as they come: lines on standard error, processes' output on standard output.

    Args:
        as_json: for programs, all of them.
        loudness: -1 for what went wrong only, 0 as usual, 1 and above also what is waited for.
    """

    def __init__(self, *, as_json: bool, loudness: int = 0) -> None:
        self._json = as_json
        self._loudness = loudness
        self._color = wants_color(sys.stderr.isatty())
        self._prefixes: dict[str, str] = {}

    def show(self, event: Event) -> None:
        """Show one event."""
        if self._json:
            print(json.dumps(event_json(event)), flush=True)
            return
        match event:
            case e.ProcessOutput(workload=workload, line=line):
                text = line.decode(errors="replace")
                print(f"{self._prefix(workload)}{text}", flush=True)
            case _ if self._loudness >= 0 or _matters(event):
                for text in self._lines(event):
                    print(text, file=sys.stderr, flush=True)

    def _lines(self, event: Event) -> list[str]:
        match event:
            case e.Planned():
                return plan_text(event, color=self._color).splitlines()
            case e.ActionStarted():
                return []
            case e.ActionWaiting(action=action, what=what):
                waits = f"  … {describe.subject(action)}: waiting for {what}"
                return [self._paint(_DIM, waits)] if self._loudness or sys.stderr.isatty() else []
            case e.ActionDone(action=action, took_s=took_s, detail=detail):
                mark = self._paint(_GREEN, "✓")
                more = f": {detail}" if detail else ""
                what = f"{describe.verb(action):<12} {describe.subject(action)}{more}"
                return [f"  {mark} {what} {self._paint(_DIM, f'{took_s:.2f} s')}"]
            case e.ActionFailed(action=action, message=message):
                mark = self._paint(_RED, "✗")
                return [
                    f"  {mark} {describe.verb(action):<12} {describe.subject(action)}: {message}"
                ]
            case e.ProcessOutput():
                return []
            case e.ProcessEnded(workload=workload, code=code):
                return [f"{workload} ended with {code}"]
            case e.ProcessRestarts(workload=workload, code=code, delay_s=delay_s):
                return [f"{workload} ended with {code}: started again in {delay_s:g} s"]
            case e.LinkChanged(workload=workload, up=up, reason=reason):
                return _link_lines(workload, up=up, reason=reason)
            case e.FileSaved() | e.FileApplied() | e.FileRefused():
                return _file_lines(event, color=self._color)
            case e.SessionUp(took_s=took_s):
                return [f"up after {took_s:.2f} s; Ctrl-C puts everything back"]
            case e.Remark(text=text):
                return [text]
            case e.SessionEnded(why=why):
                return [f"session ended ({why}): everything is as before"]
            case _:
                assert_never(event)

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{_OFF}" if self._color else text

    def _prefix(self, workload: str) -> str:
        if workload not in self._prefixes:
            color = _PREFIX_COLORS[len(self._prefixes) % len(_PREFIX_COLORS)]
            plain = f"{workload:<8} | "
            colored = wants_color(sys.stdout.isatty())
            self._prefixes[workload] = f"{color}{plain}{_OFF}" if colored else plain
        return self._prefixes[workload]


def _matters(event: Event) -> bool:
    """Tell whether something is not as it should be."""
    match event:
        case e.ProcessEnded(code=code):
            return code != 0
        case e.LinkChanged(up=up):
            return not up
        case _:
            return isinstance(event, e.ActionFailed | e.ProcessRestarts | e.FileRefused | e.Remark)


def plan_text(planned: e.Planned, *, color: bool) -> str:
    """Describe a plan: where, what for, each action with its reason, and the verbs it takes."""
    lines = [
        f"context {planned.context} ({planned.server}), namespace "
        f"{', '.join(planned.namespaces) or '-'}",
        f"session {planned.session} of {planned.holder}, kept {planned.ttl_s:g} s after it was "
        "last heard of",
    ]
    plan = planned.plan
    for notice in plan.notices:
        where = f"  ({notice.source})" if notice.source else ""
        lines.append(f"note: {notice.text}{where}")
    if plan.empty:
        return "\n".join([*lines, "nothing to do: the cluster is as the file says"])
    return "\n".join([*lines, "", *_action_lines(plan, color=color), ""])


def _action_lines(plan: Plan, *, color: bool) -> list[str]:
    lines = []
    for action in plan.actions:
        text = f"  {describe.line(action)}"
        if color:
            sign = describe.sign(action)
            text = text.replace(sign, f"{_SIGN_COLORS[sign]}{sign}{_OFF}", 1)
        where = f"  ({action.reason.source})" if action.reason.source else ""
        lines.append(text + where)
        lines += [f"{_INDENT}{one}" for one in describe.changes(action)]
    return lines


def permissions_text(plan: Plan) -> str:
    """List the verbs that a plan takes, by namespace and resource."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for one in permissions.needed(plan.actions):
        resource = str(one).split(" ", 1)[1]
        grouped.setdefault((one.namespace, resource), []).append(one.verb)
    lines = [
        f"  {namespace}: {resource}: {', '.join(verbs)}"
        for (namespace, resource), verbs in grouped.items()
    ]
    return "\n".join(["permissions that this takes (all granted):", *lines]) if lines else ""


def event_json(event: Event) -> dict[str, Any]:
    """Describe an event for programs: one object, its type under ``event``."""
    kind = type(event).__name__
    match event:
        case e.Planned():
            return {"event": kind, **planfile.plan_json(event)}
        case e.ProcessOutput(workload=workload, stream=stream, line=line):
            try:
                text = {"line": line.decode()}
            except UnicodeDecodeError:
                text = {"line_base64": base64.b64encode(line).decode()}
            return {"event": kind, "workload": workload, "stream": stream, **text}
        case e.ActionStarted(action=action):
            return {"event": kind, **planfile.action_json(action)}
        case e.ActionWaiting(action=action, what=what):
            return {"event": kind, **planfile.action_json(action), "what": what}
        case e.ActionDone(action=action, took_s=took_s, detail=detail):
            return {
                "event": kind,
                **planfile.action_json(action),
                "took_s": took_s,
                "detail": detail,
            }
        case e.ActionFailed(action=action, message=message):
            return {"event": kind, **planfile.action_json(action), "message": message}
        case e.FileSaved(plan=plan):
            actions = [planfile.action_json(action) for action in plan.actions]
            return {"event": kind, "actions": actions}
        case e.FileRefused(error=error):
            problems = [str(one) for one in getattr(error, "problems", ())]
            return {"event": kind, "message": error.message, "problems": problems}
        case _:
            return {"event": kind, **_plain(event)}


def yaml_documents(manifests: list[dict[str, Any]]) -> str:
    """Write manifests of texts, lists and maps as YAML; every text is quoted, as JSON quotes it."""
    return "\n---\n".join("\n".join(_yaml(one, "")) for one in manifests)


def _yaml(value: dict[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for key, one in value.items():
        if isinstance(one, dict):
            lines += [f"{indent}{key}:", *_yaml(one, indent + "  ")]
        elif isinstance(one, list) and one and isinstance(one[0], dict):
            lines.append(f"{indent}{key}:")
            for item in one:
                first, *rest = _yaml(item, indent + "  ")
                lines += [f"{indent}- {first.lstrip()}", *rest]
        else:
            lines.append(f"{indent}{key}: {json.dumps(one)}")
    return lines


def write(text: str, stream: TextIO | None = None) -> None:
    """Write data to standard output, or a word to another stream."""
    print(text, file=stream or sys.stdout, flush=True)


def _plain(value: Any) -> dict[str, Any]:
    assert is_dataclass(value)
    found = asdict(value)  # type: ignore[arg-type]
    return {key: one for key, one in found.items() if one is not None}


def _file_lines(event: e.FileSaved | e.FileApplied | e.FileRefused, *, color: bool) -> list[str]:
    match event:
        case e.FileSaved(plan=plan):
            if plan.empty:
                return ["the file was saved: nothing to do"]
            return ["the file was saved:", *_action_lines(plan, color=color)]
        case e.FileApplied(took_s=took_s):
            return [f"as the file says after {took_s:.2f} s"]
        case e.FileRefused(error=error):
            goes_on = "the file was saved, but cannot be applied: the session goes on as it was"
            return [render_error(error, color=color), goes_on]


def _link_lines(workload: str, *, up: bool, reason: str) -> list[str]:
    if up:
        return [f"{workload}: link {reason or 'up'}"]
    return [f"{workload}: link lost ({reason}); streams wait while it is made again"]
