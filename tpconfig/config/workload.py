"""The models of one entry of ``workloads``: every key, with its description and an example."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from tpconfig.config import fields, values
from tpconfig.config.environment import Environment, Volumes, volume_mode
from tpconfig.config.fields import (
    ClusterPort,
    ContainerName,
    Header,
    Kind,
    Many,
    Name,
    Namespace,
    ObjectName,
    Percent,
    Port,
    Seconds,
    Section,
    Text,
    Verbatim,
)
from tpconfig.config.process import Run


class TargetRef(Section):
    """The object whose Pods are stood in for, and which of its containers."""

    EXPECTED: ClassVar[str] = "KIND/NAME[:CONTAINER], or a mapping with `kind` and `name`"

    kind: Kind = Field(
        description="The object's kind, as kubectl and manifests write it.",
        examples=["deployment", "sts"],
    )
    name: ObjectName = Field(description="The object's name.", examples=["dashboard-ui"])
    container: ContainerName | None = Field(
        None,
        description="Which container; left out: the only one, or the one that Services point to.",
        examples=["web"],
    )
    namespace: Namespace | None = Field(
        None,
        description="Its namespace; left out: `cluster.namespace`.",
        examples=["shop"],
    )


class Expose(Section):
    """A port of the chosen container that arrives at a local port."""

    EXPECTED: ClassVar[str] = "LOCAL:CLUSTER, one port, or a mapping with `local` and `cluster`"

    local: Port = Field(
        description="The port that your process listens on, in its own network or on localhost.",
        examples=[3000],
    )
    cluster: ClusterPort = Field(
        description="The container's port, by number or name (what a Service's `targetPort` says).",
        examples=[8080, "http"],
    )
    protocol: Literal["tcp", "udp"] = Field(
        "tcp", description="The port's protocol.", examples=["udp"]
    )
    wait_s: Seconds = Field(
        0.0,
        alias="wait",
        description="How long a caller waits while nobody listens here before it is refused.",
        examples=["10s"],
        json_schema_extra={"default": "0s"},
    )
    proxy_protocol: Literal["v1", "v2"] | None = Field(
        None,
        description="Tell the process who calls, by a PROXY protocol header in front of the data.",
        examples=["v2"],
    )


class Match(Section):
    """Which requests come here; everything else goes on to the original."""

    EXPECTED: ClassVar[str] = "a mapping with `headers` or `path`"

    headers: dict[Header, Verbatim] = Field(
        default_factory=dict,
        description="Headers that a request must have, with exactly these values.",
        examples=[{"x-dev": "${USER}"}],
    )
    path: Text | None = Field(
        None,
        description="A regular expression that the request's path must match.",
        examples=["^/api"],
    )


ExposeEntry = Annotated[
    Expose,
    BeforeValidator(
        fields.short(values.expose, numbers=True),
        json_schema_input_type=Port | Annotated[str, fields.text_schema(values.EXPOSE)] | Expose,
    ),
]
VolumesEntry = Annotated[
    Volumes,
    BeforeValidator(
        fields.short(volume_mode),
        json_schema_input_type=Literal["mount", "copy", "none"] | Volumes,
    ),
]
TargetEntry = Annotated[
    TargetRef,
    BeforeValidator(
        fields.short(values.target),
        json_schema_input_type=Annotated[str, fields.text_schema(values.TARGET)] | TargetRef,
    ),
]


class Workload(Section):
    """One workload of the cluster and the local process that stands in for it."""

    EXPECTED: ClassVar[str] = "a mapping with `target`"

    target: TargetEntry = Field(
        description="The object in the cluster: KIND/NAME or KIND/NAME:CONTAINER, or a mapping.",
        examples=["deployment/dashboard-ui", {"kind": "deployment", "name": "dashboard-ui"}],
    )
    profiles: Many[Name] = Field(
        (), description="Groups for `tp up --profile NAME`.", examples=[["web"]]
    )
    mode: Literal["swap", "intercept", "mirror", "none"] = Field(
        "swap",
        description="`swap`: the original is stopped; `intercept`: it runs, matching requests come "
        "here; `mirror`: a copy comes here; `none`: environment and outbound only.",
        examples=["swap"],
    )
    strategy: Literal["auto", "overlap", "recreate"] = Field(
        "auto",
        description="`overlap`: the original stops when we are ready; `recreate`: before we start.",
        examples=["recreate"],
    )
    init: Literal["run", "skip"] = Field(
        "run", description="What becomes of the Pod's init containers.", examples=["skip"]
    )
    pod_localhost: Many[Port] = Field(
        (),
        description="Ports of the Pod's sidecars that appear on the process's localhost.",
        examples=[[8910]],
    )
    expose: Many[ExposeEntry] | None = Field(
        None,
        description="Ports that come here; left out: every TCP port that a Service sends there, "
        "with the same number here; `[]`: none.",
        examples=[["3000:8080", "9229:debug", {"local": 8443, "cluster": "https"}]],
    )
    match: Match | None = Field(
        None,
        description="Which requests come here, with `mode: intercept`.",
        examples=[{"headers": {"x-dev": "${USER}"}, "path": "^/api"}],
    )
    percent: Percent | None = Field(
        None,
        description="How much of the traffic is copied, with `mode: mirror`; left out: all.",
        examples=[10],
    )
    env: Environment = Field(
        default_factory=Environment,
        description="What is changed in the Pod's environment, and where it is written to.",
        examples=[{"set": {"LOG_LEVEL": "debug"}, "unset": ["OTEL_*"]}],
    )
    volumes: VolumesEntry = Field(
        default_factory=Volumes,
        description="How the Pod's files get here: `mount`, `copy`, `none`, or a mapping.",
        examples=["mount", {"mode": "copy", "paths": ["/data"]}],
    )
    run: Run | None = Field(
        None,
        description="The local process; left out: a shell, or one that you start yourself.",
        examples=[{"command": "npm start", "cwd": "./dashboard"}],
    )
