"""Takes out of objects and files what may be a secret, before somebody else is to read them (pure).

What is taken out is said to be there: keys stay, values go. Where a value could be one, it goes:
a report that says too little costs a question, one that says too much a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tpconfig import names

MASK: Final = "***"

_VALUES: Final = frozenset({"data", "stringData", "binaryData"})
_COMMANDS: Final = frozenset({"command", "args"})


def masked_object(found: Any) -> Any:
    """Return an object of the cluster without values of variables, commands and annotations.

    Annotations of ours stay: they are the journal. Those of others may repeat the whole object.
    """
    if isinstance(found, list):
        return [masked_object(one) for one in found]
    if not isinstance(found, Mapping):
        return found
    if set(found) == {"name", "value"}:
        return {**found, "value": MASK}
    return {key: _masked(key, value) for key, value in found.items()}


def masked_file(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file without the values that it sets in environments, and without ``x-`` keys."""
    found = {key: value for key, value in written.items() if not key.startswith("x-")}
    for section in ("workloads", "defaults"):
        if isinstance(found.get(section), Mapping):
            found[section] = _without_values(found[section])
    return found


def _masked(key: str, value: Any) -> Any:
    if key == "annotations" and isinstance(value, Mapping):
        ours = f"{names.DOMAIN}/"
        return {one: text if one.startswith(ours) else MASK for one, text in value.items()}
    if key in _VALUES and isinstance(value, Mapping):
        return dict.fromkeys(value, MASK)
    if key in _COMMANDS and isinstance(value, list):
        return [MASK] * len(value)
    return masked_object(value)


def _without_values(found: Any) -> Any:
    """Mask every value below an ``env`` that is set."""
    if isinstance(found, list):
        return [_without_values(one) for one in found]
    if not isinstance(found, Mapping):
        return found
    return {
        key: dict.fromkeys(value, MASK)
        if key == "set" and isinstance(value, Mapping)
        else _without_values(value)
        for key, value in found.items()
        if not str(key).startswith("x-")
    }
