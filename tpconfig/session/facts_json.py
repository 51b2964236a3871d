"""Hosted facts as JSON, for the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tpconfig.model.desired import Forward
from tpconfig.model.observed import HostedFacts
from tpconfig.model.target import PodPort, PortPair


def to_json(facts: HostedFacts) -> dict[str, Any]:
    """Write facts as plain JSON values."""
    return asdict(facts)


def from_json(given: Mapping[str, Any]) -> HostedFacts:
    """Read what ``to_json`` wrote."""
    ports = tuple(PortPair(**{**one, "pod": PodPort(**one["pod"])}) for one in given["ports"])
    forwards = tuple(Forward(**{**one, "source": None}) for one in given.get("forwards") or ())
    return HostedFacts(**{**given, "ports": ports, "forwards": forwards})
