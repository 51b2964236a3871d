"""The JSON Schema of a plan, made from the actions themselves.

``python -m tpconfig.session.planschema schemas/plan.schema.json`` writes it.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from tpconfig.model.actions import Action
from tpconfig.model.desired import Forward
from tpconfig.model.observed import Claim, Permission
from tpconfig.model.target import Change, PodPort, PortPair, Target
from tpconfig.session import planfile
from tpconfig.session.wish import Reload

COMMITTED: Final = Path(__file__).parents[2] / "schemas" / "plan.schema.json"
_TYPES: Final = {str: "string", int: "integer", bool: "boolean", float: "number"}
_STRINGS: Final[dict[str, Any]] = {"type": "array", "items": {"type": "string"}}


def schema() -> dict[str, Any]:
    """Return the schema of what ``tp plan --json`` prints and ``tp plan -o`` writes."""
    kinds = sorted(get_args(Action), key=lambda kind: str(kind.__name__))
    permission = _object(Permission)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A plan of tp",
        "description": "What `tp up` would do: printed by `tp plan --json`, written by "
        "`tp plan -o`, applied by `tp up --plan`.",
        "type": "object",
        "properties": {
            "version": {"const": planfile.VERSION},
            "context": {"type": "string", "description": "The kubeconfig's context."},
            "server": {"type": "string", "description": "The API server's address."},
            "session": {"type": "string", "description": "The session's id."},
            "namespaces": _STRINGS,
            "actions": {
                "type": "array",
                "description": "In an order in which they could be done one by one.",
                "items": {"oneOf": [{"$ref": f"#/$defs/{one.__name__}"} for one in kinds]},
            },
            "notices": {**_STRINGS, "description": "What a person should know before."},
            "permissions": {"type": "array", "items": permission},
            "made_from": _object(Reload),
        },
        "required": [
            *("version", "context", "server", "session", "namespaces"),
            *("actions", "notices", "permissions"),
        ],
        "additionalProperties": False,
        "$defs": {one.__name__: _action(one) for one in kinds},
    }


def text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(schema(), indent=2) + "\n"


def _action(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    shown = [one for one in fields(kind) if one.name != "reason" and hints[one.name] is not Claim]
    properties: dict[str, Any] = {"action": {"const": kind.__name__}}
    if Target in hints.values():
        properties["namespace"] = {"type": "string"}
    properties |= {one.name: _of(hints[one.name]) for one in shown}
    optional = {one.name for one in shown if type(None) in get_args(hints[one.name])}
    properties["reason"] = {"type": "string", "description": "What for, in the user's words."}
    properties["source"] = {
        "type": ["string", "null"],
        "description": "The line of the file that asked for it.",
    }
    return {
        "type": "object",
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _of(hint: Any) -> dict[str, Any]:
    """Return the schema of a field's type."""
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    if hint is Target:
        return {"type": "string", "description": "KIND/NAME"}
    if hint is Change:
        value = {"type": ["string", "integer", "boolean", "null"]}
        return _closed({"field": {"type": "string"}, "before": value, "after": value})
    if hint is Forward:
        return {"type": "string", "description": "ADDRESS:PORT -> HOST:PORT, or a SOCKS5 proxy"}
    if hint in (PortPair, PodPort):
        return _object(hint)
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _of(get_args(hint)[0])}
    if get_origin(hint) is Literal:
        return {"type": "string"}
    if get_origin(hint) in (types.UnionType, Union):
        inner = [one for one in get_args(hint) if one is not type(None)]
        assert len(inner) == 1, hint
        return _of(inner[0])
    raise AssertionError(f"no schema for {hint}")


def _object(kind: type) -> dict[str, Any]:
    """Return the schema of a value whose fields are written as they are."""
    hints = get_type_hints(kind)
    found = {}
    for one in fields(kind):
        made = _of(hints[one.name])
        if type(None) in get_args(hints[one.name]):
            made["type"] = [made["type"], "null"]
        found[one.name] = made
    return _closed(found, required=[one.name for one in fields(kind) if one.default is MISSING])


def _closed(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else COMMITTED).write_text(text(), encoding="utf-8")
