"""Label and field selectors, as the API server reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.fakes import fake_status

Predicate = Callable[[dict[str, Any]], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")
_FIELDS = {
    "Pod": {"spec.nodeName", "status.phase", "spec.serviceAccountName", "status.podIP"},
    "Event": {
        *("involvedObject.kind", "involvedObject.name", "involvedObject.namespace"),
        *("involvedObject.uid", "involvedObject.fieldPath", "reason", "type", "source"),
    },
    "Secret": {"type"},
    "Namespace": {"status.phase"},
}


def by_labels(selector: str) -> Predicate:
    """Return whether an object's labels match ``a=b,c!=d,e,!f,g in (h,i)``."""
    tests = [_label_test(part.strip()) for part in _split(selector) if part.strip()]
    return lambda item: all(test(item["metadata"].get("labels") or {}) for test in tests)


def _split(selector: str) -> list[str]:
    return re.split(r",(?![^(]*\))", selector)


def _label_test(text: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.match(text):
        key, word, values = found[1], found[2], {v.strip() for v in found[3].split(",")}
        if word == "in":
            return lambda labels: key in labels and labels[key] in values
        return lambda labels: labels.get(key) not in values
    if text.startswith("!"):
        return lambda labels: text[1:].strip() not in labels
    if "!=" in text:
        key, _, value = text.partition("!=")
        return lambda labels: labels.get(key.strip()) != value.strip()
    if "=" in text:
        key, _, value = text.replace("==", "=").partition("=")
        return lambda labels: labels.get(key.strip()) == value.strip()
    return lambda labels: text in labels


def by_label_selector(selector: dict[str, Any]) -> Predicate:
    """Return whether an object's labels match a LabelSelector's ``matchLabels``."""
    wanted = selector.get("matchLabels") or {}
    return lambda item: wanted.items() <= (item["metadata"].get("labels") or {}).items()


def by_fields(kind: str, selector: str) -> Predicate:
    """Return whether an object's fields match ``a=b,c!=d``; unknown fields are refused."""
    tests = [_field_test(kind, part) for part in selector.split(",") if part]
    return lambda item: all(test(item) for test in tests)


def _field_test(kind: str, text: str) -> Predicate:
    negated = "!=" in text
    field, _, wanted = text.replace("!=", "=").replace("==", "=").partition("=")
    known = {"metadata.name", "metadata.namespace"} | _FIELDS.get(kind, set())
    if field not in known:
        raise fake_status.bad_request(f"field label not supported: {field}")

    def test(item: dict[str, Any]) -> bool:
        value: Any = item
        for part in field.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return (str(value or "") == wanted) != negated

    return test
