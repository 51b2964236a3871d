"""The downward API's answers about the original's resources."""

from __future__ import annotations

from typing import Any

import pytest

from tpconfig.cluster import resourcefields

LIMITS = {"limits": {"cpu": "1500m", "memory": "96Mi"}}
BOTH = {**LIMITS, "requests": {"cpu": "50m", "memory": "10M"}}


@pytest.mark.parametrize(
    ("field", "divisor", "resources", "value"),
    [
        ("limits.cpu", None, LIMITS, "2"),
        ("limits.cpu", "1m", LIMITS, "1500"),
        ("limits.memory", "0", LIMITS, "100663296"),
        ("limits.memory", "1Mi", LIMITS, "96"),
        ("requests.memory", "1Mi", BOTH, "10"),
        ("requests.cpu", None, LIMITS, "2"),
        ("requests.memory", None, {}, "0"),
        ("requests.ephemeral-storage", "1k", {"requests": {"ephemeral-storage": "1e4"}}, "10"),
    ],
)
def test_what_is_stated(
    field: str, divisor: str | None, resources: dict[str, Any], value: str
) -> None:
    """Amounts are divided and rounded up; a request without a statement is the limit, else 0."""
    assert said(field, divisor, resources) == {"name": "X", "value": value}


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "X", "value": "limits.cpu"},
        {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "X", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        {
            "name": "X",
            "valueFrom": {
                "resourceFieldRef": {"resource": "requests.memory", "containerName": "other"}
            },
        },
    ],
)
def test_what_stays(entry: dict[str, Any]) -> None:
    """Other entries, other containers, and a limit that only the node knows."""
    assert resourcefields.stated(entry, within="web", chosen="web", resources={}) is entry


def test_a_neighbours_reference_by_name() -> None:
    """A sidecar that asks for the chosen container's limit hears the original's."""
    entry = {
        "name": "X",
        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "containerName": "web"}},
    }
    found = resourcefields.stated(entry, within="side", chosen="web", resources=LIMITS)
    assert found == {"name": "X", "value": "2"}


@pytest.mark.parametrize("quantity", ["", "x", "1X", "1mm", "Mi"])
def test_no_quantity(quantity: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="not a quantity"):
        resourcefields.parse(quantity)


def said(field: str, divisor: str | None, resources: dict[str, Any]) -> Any:
    """Return the entry for a reference of the chosen container to itself."""
    reference = {"resource": field} | ({"divisor": divisor} if divisor else {})
    entry = {"name": "X", "valueFrom": {"resourceFieldRef": reference}}
    return resourcefields.stated(entry, within="web", chosen="web", resources=resources)
