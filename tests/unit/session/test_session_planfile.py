"""A plan that is written down is applied exactly, or not at all."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from tpconfig.errors import UsageError
from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import Forward
from tpconfig.model.events import Planned
from tpconfig.model.observed import Claim
from tpconfig.model.plan import Notice, Plan
from tpconfig.model.target import Change, PodPort, PortPair, Target
from tpconfig.session import describe, planfile, planschema
from tpconfig.session.wish import Reload
from tpconfig.source import Source

WEB = Target("shop", "deployment", "web")
WHY = Reason("because", Source("telepresence.yaml", 3, 1, 5))
DOWN, UP = Change(("spec", "replicas"), 2, 0), Change(("spec", "replicas"), 0, 2)
CLAIM = Claim("ab", "{}", 2)
EVERY: tuple[Action, ...] = (
    a.OpenSession("shop", WHY),
    a.GuardTargets(namespace="shop", targets=(WEB,), role=True, reason=WHY),
    a.StartJanitor(namespace="shop", account="f", built_from="f", required=True, reason=WHY),
    a.ClaimTarget(WEB, "web", 2, WHY, recorded=(DOWN,), also=(Change(("m", "x.y"), None, "b"),)),
    a.CreateAgent(WEB, "web", "main", "tp", "f", low_ports=True, reason=WHY, after=("tp-old",)),
    a.Connect("shop", "web", "tp", "main", (PortPair(3000, PodPort(8080)),), WHY),
    a.HandOver("web", "f", ("/src/.env",), WHY),
    a.StartProcess("web", "f", ("serve",), ("api",), WHY),
    a.OpenForwards("web", (Forward(5432, "db", 5432), Forward(1080)), WHY),
    a.OpenTraffic(WEB, "web", "tp", ("web",), WHY),
    a.StopOriginal(WEB, 2, Reason("because"), changes=(DOWN,)),
    a.StartOriginal(WEB, CLAIM, ("web",), WHY, changes=(UP,), pods=2),
    a.CloseTraffic("web", "tp", WHY),
    a.StopProcess("web", WHY),
    a.Disconnect("web", "tp", WHY),
    a.DeleteAgent("shop", "tp", "web", WHY),
    a.ReleaseTarget(WEB, CLAIM, WHY),
    a.CloseSession("shop", "ab", WHY),
)
RELOAD = Reload(files=("/src/telepresence.yaml",), folder="/src", names=("web",), now=True)


def planned(*actions: Action, context: str = "kind") -> Planned:
    """Return a plan of these actions."""
    plan = Plan(actions, (Notice("look out"),))
    return Planned(plan, context, "https://here", ("shop",), "ab", "anna@thinkpad", 60.0)


def changed(kind: type, **fields: Any) -> Planned:
    """Return the plan of every action, one of them with other fields."""
    return planned(*(replace(x, **fields) if isinstance(x, kind) else x for x in EVERY))


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a plan is written."""
    return str(tmp_path / "plan.json")


def test_the_list_has_every_action() -> None:
    """A new one has to be added here."""
    assert {type(one) for one in EVERY} == set(get_args(Action))


def test_the_schema_is_fresh() -> None:
    """`python -m tpconfig.session.planschema` writes it."""
    assert planschema.COMMITTED.read_text(encoding="utf-8") == planschema.text()


def test_every_action_is_as_the_schema_says(path: str) -> None:
    """What is printed, and what is written down."""
    validate = jsonschema.Draft202012Validator(planschema.schema()).validate
    validate(json.loads(json.dumps(planfile.plan_json(planned(*EVERY)))))
    planfile.write(path, planned(*EVERY), RELOAD)
    validate(json.loads(Path(path).read_text()))


@pytest.mark.parametrize("action", EVERY, ids=lambda one: type(one).__name__)
def test_the_schema_forbids_what_an_action_does_not_have(action: Action) -> None:
    """Nothing more and nothing less than the fields of the action."""
    validator = jsonschema.Draft202012Validator(planschema.schema())
    made = planfile.plan_json(planned(action))
    kept = dict(made["actions"][0])
    for wrong in ({**kept, "more": 1}, {k: v for k, v in kept.items() if k != "reason"}):
        assert not validator.is_valid({**made, "actions": [wrong]})


def test_a_plan_comes_back_as_it_was_written(path: str) -> None:
    """With the request that it was made from; its owner alone may read it."""
    planfile.write(path, planned(*EVERY), RELOAD)
    found = planfile.read(path)
    assert found.reload == RELOAD
    planfile.check(found, planned(*EVERY))
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (planned(*EVERY[:-1]), "no longer: CloseSession shop"),
        (planned(*EVERY, a.OpenSession("far", WHY)), "new: OpenSession far"),
        (planned(*EVERY, context="prod"), "context: kind -> prod"),
        (
            planned(
                *(replace(x, replicas=3) if isinstance(x, a.StopOriginal) else x for x in EVERY)
            ),
            "StopOriginal shop deployment/web: replicas 2 -> 3",
        ),
        (
            planned(
                *(replace(x, argv=("x",)) if isinstance(x, a.StartProcess) else x for x in EVERY)
            ),
            'StartProcess web: argv ["serve"] -> ["x"]',
        ),
        (
            planned(
                *(replace(x, built_from="g") if isinstance(x, a.CreateAgent) else x for x in EVERY)
            ),
            "CreateAgent shop deployment/web: built_from f -> g",
        ),
    ],
)
def test_another_plan_is_refused_with_what_differs(path: str, now: Planned, said: str) -> None:
    """Actions, their fields, and whose cluster it is."""
    planfile.write(path, planned(*EVERY), RELOAD)
    with pytest.raises(planfile.PlanMovedError) as caught:
        planfile.check(planfile.read(path), now)
    assert list(caught.value.details) == [said]


def test_another_reason_is_no_other_plan(path: str) -> None:
    """Nor is another line of the file: what is done is compared."""
    planfile.write(path, planned(EVERY[0]), RELOAD)
    moved = a.OpenSession("shop", Reason("why not", Source("telepresence.yaml", 9, 1, 5)))
    planfile.check(planfile.read(path), planned(moved))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no plan"),
        ("{", "is no plan"),
        ("[]", "is no plan"),
        ('{"version": 1}', "is no plan"),
        (None, "cannot read"),
    ],
)
def test_what_is_no_plan_is_refused(path: str, text: str | None, said: str) -> None:
    """With how one is made."""
    if text is not None:
        Path(path).write_text(text)
    with pytest.raises(UsageError) as caught:
        planfile.read(path)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("version", 2, "another version"), ("made_from", None, "made from"), ("made_from", 7, "from")],
)
def test_a_plan_of_something_else_is_refused(path: str, key: str, value: Any, said: str) -> None:
    """Another version's, or one that only `--json` printed."""
    planfile.write(path, planned(*EVERY), RELOAD)
    content = {**json.loads(Path(path).read_text()), key: value}
    Path(path).write_text(json.dumps(content))
    with pytest.raises(UsageError) as caught:
        planfile.read(path)
    assert said in caught.value.message


def test_a_plan_of_standard_input_cannot_be_kept(path: str) -> None:
    """It could not be read again."""
    with pytest.raises(UsageError):
        planfile.write(path, planned(), replace(RELOAD, files=("-",)))
    assert not Path(path).exists()


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    """With the path and the machine's words."""
    with pytest.raises(UsageError) as caught:
        planfile.write(str(tmp_path / "no" / "plan"), planned(), RELOAD)
    assert caught.value.message.endswith("No such file or directory")


def test_each_changed_field_is_said_old_and_new() -> None:
    """Of the objects of the cluster; what is created here has none."""
    said = {type(one).__name__: describe.changes(one) for one in EVERY}
    assert {kind: one for kind, one in said.items() if one} == {
        "ClaimTarget": ["m[x.y]: (none) -> b"],
        "StopOriginal": ["spec.replicas: 2 -> 0"],
        "StartOriginal": ["spec.replicas: 0 -> 2"],
        "ReleaseTarget": ["metadata.labels[tpconfig.dev/session]: ab -> (none)"],
    }
