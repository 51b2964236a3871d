"""A plan as JSON: for programs, and as a file that ``tp up --plan`` applies exactly, or refuses.

What is compared is what would be done, field by field, and whose work it would be. Its fingerprints
cover the rest: the template, the image, the environment and the command.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from tpconfig.errors import ConflictError, UsageError
from tpconfig.model.actions import Action
from tpconfig.model.desired import Forward
from tpconfig.model.events import Planned
from tpconfig.model.target import Change, PortPair, Target
from tpconfig.planner import permissions
from tpconfig.session.wish import STDIN, Reload

VERSION: Final = 1

_NOT_SHOWN: Final = frozenset({"reason", "claim"})
_WHERE: Final = ("context", "server", "session", "namespaces")
_MOST_DIFFERENCES: Final = 8


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan that was written down: what it was made from, and what it does."""

    path: str
    reload: Reload
    content: Mapping[str, Any]


class PlanMovedError(ConflictError):
    """The plan is not what would be done now; nothing was changed."""


def plan_json(planned: Planned) -> dict[str, Any]:
    """Describe a plan for programs; ``schemas/plan.schema.json`` describes the description."""
    return {
        "version": VERSION,
        "context": planned.context,
        "server": planned.server,
        "session": planned.session,
        "namespaces": list(planned.namespaces),
        "actions": [action_json(action) for action in planned.plan.actions],
        "notices": [one.text for one in planned.plan.notices],
        "permissions": [asdict(one) for one in permissions.needed(planned.plan.actions)],
    }


def action_json(action: Action) -> dict[str, Any]:
    """Describe an action for programs; what is not there is left out."""
    found: dict[str, Any] = {"action": type(action).__name__}
    for field in fields(action):
        value = getattr(action, field.name)
        if isinstance(value, Target):
            found["namespace"] = value.namespace
        if field.name not in _NOT_SHOWN and value is not None:
            found[field.name] = _value(value)
    source = action.reason.source
    return {**found, "reason": action.reason.text, "source": str(source) if source else None}


def write(path: str, planned: Planned, reload: Reload) -> None:
    """Write a plan down, readable for its owner alone: commands may hold what is private.

    Raises:
        UsageError: it was made from standard input, or the file cannot be written.
    """
    if STDIN in reload.files:
        raise UsageError(
            "a plan of a file on standard input cannot be applied later",
            hint="write the file down, and name it with --file",
        )
    content = {**plan_json(planned), "made_from": reload.to_json()}
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def read(path: str) -> PlanFile:
    """Read a plan that ``write`` wrote.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        content = None
    hint = "`tp plan -o FILE` writes one"
    if not isinstance(content, dict) or not {"version", "actions", *_WHERE} <= content.keys():
        raise UsageError(f"{path} is no plan", hint=hint)
    if content["version"] != VERSION:
        raise UsageError(f"{path} is a plan of another version of tp", hint=hint)
    try:
        reload = Reload.from_json(content["made_from"])
    except (KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} does not say what it was made from", hint=hint) from None
    return PlanFile(path, reload, content)


def check(file: PlanFile, now: Planned) -> None:
    """Compare a plan that was written down with what would be done now.

    Raises:
        PlanMovedError: it is not the same; with what differs.
    """
    found = json.loads(json.dumps(plan_json(now)))
    differences = [
        f"{key}: {_short(file.content[key])} -> {_short(found[key])}"
        for key in _WHERE
        if file.content[key] != found[key]
    ]
    was, is_now = (_by_subject(one["actions"]) for one in (file.content, found))
    differences += [f"no longer: {name}" for name in was if name not in is_now]
    differences += [f"new: {name}" for name in is_now if name not in was]
    for name in was:
        if name in is_now:
            differences += _differences(name, was[name], is_now[name])
    if differences:
        more = len(differences) - _MOST_DIFFERENCES
        shown = differences[:_MOST_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])
        raise PlanMovedError(
            f"{file.path} is not what would be done now: the file or the cluster has changed",
            hint="look at the new plan: tp plan -o FILE",
            details=shown,
        )


def _value(value: Any) -> Any:
    match value:
        case Target():
            return str(value)
        case Forward():
            return str(value)
        case Change():
            return {"field": value.path, "before": value.before, "after": value.after}
        case PortPair():
            return asdict(value)
        case tuple():
            return [_value(one) for one in value]
        case _:
            return value


def _by_subject(actions: Any) -> dict[str, Mapping[str, Any]]:
    """Return actions by what they are and what they are about; a plan has each once."""
    found = {}
    for one in actions if isinstance(actions, list) else ():
        about = one.get("target") or one.get("pod") or one.get("workload") or ""
        words = (str(one.get("action")), str(one.get("namespace", "")), str(about))
        found[" ".join(word for word in words if word)] = one
    return found


def _differences(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    keys = [key for key in {**was, **now} if key not in ("reason", "source")]
    return [
        f"{name}: {key} {_short(was.get(key))} -> {_short(now.get(key))}"
        for key in keys
        if was.get(key) != now.get(key)
    ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
