"""Every action in a person's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import pytest

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import Run, Workload
from tpconfig.model.observed import Claim
from tpconfig.model.target import PodPort, PortPair, Target
from tpconfig.session import describe
from tpconfig.session.running import Phase

WHY = Reason("because")
WEB = Target("shop", "deployment", "web")
CLAIM = Claim("ab", "{}", 2)

LINES: list[tuple[Action, str]] = [
    (a.OpenSession("shop", WHY), "+ create       lease in shop: because"),
    (
        a.GuardTargets("shop", (WEB,), role=True, reason=WHY),
        "~ guard        role and lease in shop: because",
    ),
    (
        a.StartJanitor("shop", "tp", "f", required=False, reason=WHY),
        "+ create       janitor in shop: because",
    ),
    (a.ClaimTarget(WEB, "front", 2, WHY), "~ claim        deployment/web: because"),
    (
        a.CreateAgent(WEB, "front", "main", "tp-0", "f", low_ports=False, reason=WHY),
        "+ create       pod/tp-0: because",
    ),
    (
        a.Connect("shop", "front", "tp-0", "main", (), WHY),
        "+ connect      front: because",
    ),
    (a.HandOver("front", "f", (), WHY), "+ environment  front: because"),
    (a.StartProcess("front", "f", ("serve",), (), WHY), "+ start        front: because"),
    (a.OpenForwards("front", (), WHY), "~ forward      front: because"),
    (a.OpenTraffic(WEB, "front", "tp-0", (), WHY), "~ traffic here front: because"),
    (a.StopOriginal(WEB, 2, WHY), "~ scale to 0   deployment/web: because"),
    (a.StartOriginal(WEB, CLAIM, (), WHY), "~ scale back   deployment/web: because"),
    (a.CloseTraffic("front", "tp-0", WHY), "~ traffic back front: because"),
    (a.StopProcess("front", WHY), "- stop         front: because"),
    (a.Disconnect("front", "tp-0", WHY), "- disconnect   front: because"),
    (a.DeleteAgent("shop", "tp-0", "front", WHY), "- delete       pod/tp-0: because"),
    (a.ReleaseTarget(WEB, CLAIM, WHY), "~ release      deployment/web: because"),
    (a.CloseSession("shop", "ab", WHY), "- delete       lease in shop: because"),
]


def test_there_is_a_line_for_every_action() -> None:
    """A new one has to be added here."""
    assert {type(action) for action, _ in LINES} == set(get_args(Action))


@pytest.mark.parametrize(("action", "line"), LINES, ids=[type(one).__name__ for one, _ in LINES])
def test_the_line_of_an_action(action: Action, line: str) -> None:
    """Sign, word, what it is about, and why."""
    assert describe.line(action) == line


def in_phase(phase: Phase) -> SimpleNamespace:
    """A process in some phase of its life."""
    return SimpleNamespace(phase=phase, pid=None, restarts=0, started_at=None)


def hosted(*, runs: bool = True, **state: Any) -> dict[str, Any]:
    """Describe a hosted workload in some state."""
    workload = Workload("front", WEB, run=Run(("serve",), "/src") if runs else None)
    quiet = {
        "workload": workload,
        "pod": None,
        "ports": (),
        "serving": False,
        "link_up": False,
        "rtt_s": None,
        "lost_s": None,
        "reconnects": 0,
        "forwards": (),
        "process": None,
        "exit_code": None,
        "running": in_phase(Phase.NONE),
    }
    return describe.hosted(SimpleNamespace(**{**quiet, **state}))  # type: ignore[arg-type]


def test_what_is_not_connected_yet_is_described() -> None:
    """Nothing of it is there."""
    assert hosted() == {
        "name": "front",
        "target": "deployment/web",
        "namespace": "shop",
        "pod": None,
        "ports": [],
        "traffic": "original",
        "link": "lost",
        "rtt_ms": None,
        "lost_s": None,
        "reconnects": 0,
        "forwards": [],
        "process": "stopped",
        "pid": None,
        "restarts": 0,
        "started_at": None,
    }


def test_what_is_up_is_described() -> None:
    """Pod, ports, traffic, and the round trip in milliseconds."""
    found = hosted(
        pod=SimpleNamespace(pod="tp-0"),
        ports=(PortPair(3000, PodPort(8080)), PortPair(53, PodPort(53, "udp"))),
        serving=True,
        link_up=True,
        rtt_s=0.0123456,
        process="f",
        running=SimpleNamespace(phase=Phase.RUNNING, pid=7, restarts=2, started_at=1.0),
    )
    assert (found["pid"], found["restarts"], found["started_at"]) == (7, 2, 1.0)
    assert (found["pod"], found["ports"]) == ("tp-0", ["3000:8080", "53:53/udp"])
    assert (found["traffic"], found["link"], found["rtt_ms"]) == ("here", "up", 12.35)
    assert found["process"] == "running"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"runs": False}, None),
        ({"process": "f", "running": in_phase(Phase.RUNNING)}, "running"),
        ({"process": "f", "running": in_phase(Phase.HALTED)}, "stopped"),
        ({"process": "f", "running": in_phase(Phase.WAITING)}, "waiting to be started again"),
        ({"process": "f", "exit_code": 0}, "ended (0)"),
        ({"process": None, "exit_code": -9}, "ended (-9)"),
    ],
)
def test_a_process_runs_or_has_ended(state: dict[str, Any], said: str | None) -> None:
    """A shell's workload has none."""
    assert hosted(**state)["process"] == said
