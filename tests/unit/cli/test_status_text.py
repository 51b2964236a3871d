"""What ``tp status`` says about a link."""

from __future__ import annotations

from typing import Any

import pytest

from tpconfig.cli.commands.status import status_text

QUIET: dict[str, Any] = {"link": "up", "rtt_ms": 1.5, "lost_s": None, "reconnects": 0}


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({}, "up 1.5 ms"),
        ({"rtt_ms": None}, "up"),
        ({"reconnects": 3}, "up 1.5 ms, reconnected 3x"),
        ({"link": "lost", "lost_s": 12.3}, "lost 12 s"),
        ({"link": "lost", "lost_s": 0.0, "reconnects": 1}, "lost 0 s, reconnected 1x"),
    ],
)
def test_a_link_is_up_or_lost_for_so_long(link: dict[str, Any], said: str) -> None:
    """With its round trip, and how often a connection was replaced."""
    assert f"here     {said}" in status_text(_status(**link))


def test_forwards_are_listed_with_who_carries_them() -> None:
    """Behind the workloads, and not at all where there are none."""
    said = status_text(_status(forwards=["127.0.0.1:5432 -> db:5432", "127.0.0.1:1080 (SOCKS5)"]))
    assert said.splitlines()[-3:] == [
        "FORWARDS",
        "127.0.0.1:5432 -> db:5432  (over web)",
        "127.0.0.1:1080 (SOCKS5)  (over web)",
    ]
    assert "FORWARDS" not in status_text(_status())


def _status(**more: Any) -> dict[str, Any]:
    workload = {"name": "web", "target": "deployment/web", "ports": [], "traffic": "here"}
    workload |= {"forwards": [], "process": "running"}
    return {
        **dict.fromkeys(("session", "name", "holder", "context", "method"), "x"),
        "namespaces": ["shop"],
        "workloads": [{**workload, **QUIET, **more}],
    }
