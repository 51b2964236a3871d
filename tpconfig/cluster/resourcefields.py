"""What the downward API says of the original's resources, written out for the agent.

The agent takes the original's place with a small request and no limit, so a ``resourceFieldRef`` to
its container would be answered about the agent. What the template states is put in as a value;
what it leaves to the node is left to the node, the answer is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

_FACTORS: Final[dict[str, Decimal]] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal("1e3"),
    "M": Decimal("1e6"),
    "G": Decimal("1e9"),
    "T": Decimal("1e12"),
    "P": Decimal("1e15"),
    "E": Decimal("1e18"),
    "Ki": Decimal(1024),
    "Mi": Decimal(1024**2),
    "Gi": Decimal(1024**3),
    "Ti": Decimal(1024**4),
    "Pi": Decimal(1024**5),
    "Ei": Decimal(1024**6),
}


def stated(
    entry: Mapping[str, Any], *, within: str, chosen: str, resources: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return an entry of ``env`` with the value in place of a reference to the chosen container.

    Args:
        entry: of the list ``env`` of a container.
        within: that container's name, which a reference without a name means.
        chosen: the container whose place the agent takes.
        resources: what the template says of its resources.
    """
    reference = (entry.get("valueFrom") or {}).get("resourceFieldRef")
    if reference is None or (reference.get("containerName") or within) != chosen:
        return entry
    amount = _amount(reference["resource"], resources)
    if amount is None:
        return entry
    divisor = parse(str(reference.get("divisor") or "1")) or Decimal(1)
    value = (amount / divisor).to_integral_value(ROUND_CEILING)
    return {"name": entry["name"], "value": str(int(value))}


def parse(quantity: str) -> Decimal:
    """Return a Kubernetes quantity as a number: ``1500m``, ``96Mi``, ``1e3``.

    Raises:
        ValueError: it is none.
    """
    number = quantity.rstrip("numkMGTPEi")
    try:
        return Decimal(number) * _FACTORS[quantity[len(number) :]]
    except (ArithmeticError, KeyError):
        raise ValueError(f"not a quantity: {quantity}") from None


def _amount(field: str, resources: Mapping[str, Any]) -> Decimal | None:
    """Return what the kubelet would say; None: the node's own amount.

    A request that is not stated is the limit (the API server's default), else 0.
    """
    side, _, name = field.partition(".")
    limit = (resources.get("limits") or {}).get(name)
    if side == "limits":
        return None if limit is None else parse(str(limit))
    request = (resources.get("requests") or {}).get(name, limit)
    return parse(str(request if request is not None else "0"))
