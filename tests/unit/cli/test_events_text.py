"""An event of the session's log in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tpconfig.cli.commands import events

STEP = "~ claim        deployment/web: recorded"

SAID: list[tuple[str, dict[str, Any], str]] = [
    ("Remark", {"text": "web: src/app changed: building"}, "web: src/app changed: building"),
    ("Planned", {"context": "kind", "server": "x", "actions": ["a", "b"]},
     "planned: 2 steps in context kind"),
    ("ActionStarted", {"action": STEP}, f"{STEP} (begins)"),
    ("ActionWaiting", {"action": STEP, "waits_for": "the kubelet"},
     f"{STEP} (waits for the kubelet)"),
    ("ActionDone", {"action": STEP, "took_s": 0.123, "detail": ""}, f"{STEP} (done after 0.12 s)"),
    ("ActionFailed", {"action": STEP, "error": "no"}, f"{STEP} (failed: no)"),
    ("LinkChanged", {"workload": "web", "up": False, "reason": ""},
     "LinkChanged: workload web, up False"),
    ("ProcessRestarts", {"workload": "web", "code": 1, "delay_s": 0.5},
     "ProcessRestarts: workload web, code 1, delay_s 0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "own", "line"), SAID, ids=[event for event, _, _ in SAID])
def test_the_line_of_an_event(event: str, own: dict[str, Any], line: str) -> None:
    """In words where the event has words."""
    assert events.text(event, own) == line


def test_only_the_sessions_events_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Requests, other sessions and half a record are not; the time goes first."""
    record = {
        "event": "Remark",
        "level": "info",
        "logger": "tpconfig.events",
        "session": "ada",
        "timestamp": "2026-11-23T14:00:01.123456+00:00",
        "text": "hello",
    }
    others = [
        {**record, "session": "bob"},
        {**record, "logger": "tpconfig.cluster.transport"},
    ]
    for one in (*others, record):
        events._print(json.dumps(one).encode(), "ada", as_json=False)
    events._print(b'{"event": "Rem', "ada", as_json=False)
    events._print(json.dumps(record).encode(), "ada", as_json=True)
    plain, as_json = capsys.readouterr().out.splitlines()
    assert plain == "2026-11-23T14:00:01 hello"
    assert json.loads(as_json) == {
        "time": "2026-11-23T14:00:01.123456+00:00",
        "event": "Remark",
        "text": "hello",
    }
