"""What a workload is hosted with: this machine's side of a session, and its agent's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tpconfig.local.leftovers import Leftovers
from tpconfig.local.state import SessionPaths
from tpconfig.model.desired import Outbound
from tpconfig.session.executor import Emit
from tpconfig.tunnel.outbound import Near


@dataclass(frozen=True, slots=True)
class Here:
    """What hosting needs of this machine, the same for every workload of a session."""

    session: str
    group: asyncio.TaskGroup
    state: SessionPaths
    leftovers: Leftovers
    method: str
    environ: Mapping[str, str]
    emit: Emit
    outbound: Outbound
    api_server: str
    reconnect_s: float
    near: Near = lambda address: None


@dataclass(frozen=True, slots=True)
class PodSide:
    """The agent that a workload is linked to, and what its container's spec names."""

    namespace: str
    pod: str
    container: str
    spec_keys: frozenset[str]
    mount_paths: frozenset[str]
    grace_s: float
