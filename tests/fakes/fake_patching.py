"""Patches as the API server applies them: merge, JSON, and strategic merge for the usual lists."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes import fake_status

_MERGE_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "ports": ("containerPort", "port"),
    "volumeMounts": ("mountPath",),
    "hostAliases": ("ip",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "tolerations": (),
}
_SETS_OF_WORDS = ("finalizers",)


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396) and return the result."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(target: Any, patch: Any) -> Any:
    """Apply a strategic merge patch: known lists are merged by their key."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, list):
            result[key] = _merge_lists(key, result.get(key) or [], value)
        else:
            result[key] = strategic(result.get(key), value)
    return result


def _merge_lists(name: str, target: list[Any], patch: list[Any]) -> list[Any]:
    if name in _SETS_OF_WORDS:
        return [*target, *(word for word in patch if word not in target)]
    keys = _MERGE_KEYS.get(name, ())
    if not keys or not all(isinstance(one, dict) for one in (*target, *patch)):
        return copy.deepcopy(patch)
    if any(one.get("$patch") == "replace" for one in patch):
        return [copy.deepcopy(one) for one in patch if one.get("$patch") != "replace"]

    def identity(one: dict[str, Any]) -> Any:
        return next((one[key] for key in keys if key in one), None)

    result = list(target)
    for one in patch:
        at = next((i for i, old in enumerate(result) if identity(old) == identity(one)), None)
        if one.get("$patch") == "delete":
            result = [old for old in result if identity(old) != identity(one)]
        elif at is None:
            result.append(strategic({}, one))
        else:
            result[at] = strategic(result[at], one)
    return result


def json_patch(target: Any, operations: Any) -> Any:
    """Apply a JSON patch (RFC 6902): add, remove, replace, move, copy and test."""
    if not isinstance(operations, list):
        raise fake_status.bad_request("a JSON patch is a list of operations")
    result = copy.deepcopy(target)
    for operation in operations:
        result = _operate(result, operation)
    return result


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "test":
            if _look(document, path) != operation.get("value"):
                raise _refused("testing value " + operation["path"] + " failed")
        case "add":
            _put(document, path, copy.deepcopy(operation["value"]), insert=True)
        case "replace":
            _look(document, path)
            _put(document, path, copy.deepcopy(operation["value"]), insert=False)
        case "remove":
            _remove(document, path)
        case "move":
            value = _remove(document, _pointer(operation["from"]))
            _put(document, path, value, insert=True)
        case "copy":
            value = copy.deepcopy(_look(document, _pointer(operation["from"])))
            _put(document, path, value, insert=True)
        case other:
            raise fake_status.bad_request(f"unexpected kind: {other}")
    return document


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _look(document: Any, path: list[str]) -> Any:
    for part in path:
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise _refused("path does not exist: /" + "/".join(path)) from None
    return document


def _put(document: Any, path: list[str], value: Any, *, insert: bool) -> None:
    parent, last = _look(document, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    elif insert:
        parent.insert(int(last), value)
    else:
        parent[int(last)] = value


def _remove(document: Any, path: list[str]) -> Any:
    value = _look(document, path)
    parent, last = _look(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return value


def _refused(why: str) -> fake_status.StatusError:
    return fake_status.StatusError(
        422, "Invalid", f"the server rejected our request due to an error in our request: {why}"
    )
