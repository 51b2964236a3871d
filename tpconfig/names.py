"""Every label, annotation, port, environment variable and prefix that ``tp`` uses, in one place.

This module travels into the Pod with the agent, so it imports nothing.
"""

from __future__ import annotations

from typing import Final

DOMAIN: Final = "tpconfig.dev"

LABEL_SESSION: Final = f"{DOMAIN}/session"
"""On everything that a session changed or created: the session's id."""

LABEL_STOPPED: Final = f"{DOMAIN}/stopped-by"
"""In a stopped DaemonSet's node selector: a label that no node has."""

LABEL_ROLE: Final = f"{DOMAIN}/role"
"""On what a session created: ``lease``, ``secret``, ``agent``, ``janitor``."""

ANNOTATION_RESTORE: Final = f"{DOMAIN}/restore"
"""On a changed object: the JSON merge patch that puts it back."""

ANNOTATION_WAS: Final = f"{DOMAIN}/was"
"""On a changed object: how many of its Pods were ready, and who owned the changed field."""

ANNOTATION_HELD_BY: Final = f"{DOMAIN}/held-by"
"""On a changed object, for colleagues: who holds it, since when, how to end it."""

ANNOTATION_ENDED: Final = f"{DOMAIN}/ended"
"""On a Lease: ``{"by": …, "why": …}``, written before an end is carried out."""

ANNOTATION_TOUCHED: Final = f"{DOMAIN}/touched"
"""On a Lease, for the janitor: a JSON list of what the session may have changed (deployment/x)."""

ANNOTATION_RECONNECT: Final = f"{DOMAIN}/reconnect"
"""On a Lease: seconds without a renewal for which Lease and agents stay, the traffic given back."""

ANNOTATION_JANITOR: Final = f"{DOMAIN}/janitor"
"""On a Lease: the Pod of the janitor that has read it last, which so proves that it can."""

ANNOTATION_WAITS_FOR: Final = f"{DOMAIN}/waits-for"
"""On a Lease of a session that holds nothing yet: ``{"turn": 3, "for": ["deployment/x"]}``."""

ROLE_ENDED: Final = "ended"
"""The role of a Lease that stays only to tell its owner that somebody else has ended it."""

ANNOTATION_GIVEN_BACK: Final = f"{DOMAIN}/given-back"
"""On a Lease that ran out: written by the janitor before it gives the traffic back."""

ANNOTATION_NAME: Final = f"{DOMAIN}/name"
"""On a Lease: the file's ``name:``."""

ANNOTATION_USER: Final = f"{DOMAIN}/user"
"""On a Lease: the API user (SelfSubjectReview) that owns the session."""

ANNOTATION_FILE: Final = f"{DOMAIN}/file"
"""On a Lease: the path of the file, for people."""

LABEL_JANITOR: Final = f"{DOMAIN}/janitor"
"""On the Pods of a janitor: the session's id."""

ANNOTATION_TEMPLATE: Final = f"{DOMAIN}/template"
"""On an agent Pod or a janitor: the hash of everything it was built from."""

ANNOTATION_TARGET: Final = f"{DOMAIN}/target"
"""On an agent Pod: the object whose template it was built from (``deployment/x``)."""

ANNOTATION_WORKLOAD: Final = f"{DOMAIN}/workload"
"""On an agent Pod: the workload's name in the file."""

JANITOR_ACCOUNT: Final = "tp-janitor"
"""The service account that an administrator may prepare in a namespace for every janitor there."""

FIELD_MANAGER: Final = "tp"

PREFIX: Final = "tp"
"""First word of the name of everything that a session creates."""

LINK_PORT: Final = 17600
"""The agent's port for the link, on the Pod's loopback; moved up past what the Pod declares."""

PROBE_PORT: Final = 17601
"""The agent's port for the kubelet's readiness probe, on every address of the Pod."""

PROBE_PATH: Final = "/ready"

PROBE_HOLD_S: Final = 20.0
"""Seconds that the agent holds a probe before it repeats the state it has."""

ENV_AGENT: Final = "TPCONFIG_AGENT"
"""The agent's settings, one JSON object."""

ENV_SECRET: Final = "TPCONFIG_SECRET"
"""The session's secret; removed from the environment that is handed over."""

ENV_JANITOR: Final = "TPCONFIG_JANITOR"
"""The janitor's settings, one JSON object."""

HOST_NAME: Final = "host.tp.internal"
"""What a workload's processes call this machine's own localhost."""

HOST_ADDRESS: Final = "198.18.0.52"
"""Its address there: RFC 2544 space, which no network routes."""

RESOLVER_ADDRESS: Final = "198.18.0.53"
"""The nameserver in a workload's own ``resolv.conf``: RFC 2544 space, which no network routes."""
