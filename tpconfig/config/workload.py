"""The models of one entry of ``workloads``: every key, with its description and an example."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from tpconfig.config import fields, values
from tpconfig.config.fields import (
    AbsolutePath,
    Command,
    ContainerName,
    Flag,
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
    Variable,
    Verbatim,
)

ExportFormat = Literal[
    "dotenv",
    "docker",
    "compose",
    "json",
    "yaml",
    "shell",
    "fish",
    "powershell",
    "vscode",
    "intellij",
]
Signal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2"]


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

    headers: dict[fields.Header, Verbatim] = Field(
        default_factory=dict,
        description="Headers that a request must have, with exactly these values.",
        examples=[{"x-dev": "${USER}"}],
    )
    path: Text | None = Field(
        None,
        description="A regular expression that the request's path must match.",
        examples=["^/api"],
    )


class Export(Section):
    """A file that the environment is written to."""

    EXPECTED: ClassVar[str] = "a path, or a mapping with `path`"

    path: Text = Field(
        description="The file, relative to the project folder; written with mode 0600.",
        examples=[".env.dashboard"],
    )
    format: ExportFormat = Field(
        "dotenv", description="How the file is written.", examples=["vscode"]
    )
    keep: Flag = Field(
        False, description="Leave the file where it is after `tp down`.", examples=[True]
    )
    outside: Flag = Field(
        False, description="Allow a path outside the project folder.", examples=[True]
    )


def _export_path(text: str) -> dict[str, Any]:
    return {"path": text}


class Environment(Section):
    """What the file changes in the Pod's environment, and where it is written to."""

    EXPECTED: ClassVar[str] = "a mapping with `set`, `unset` or `export`"

    export: Many[
        Annotated[
            Export,
            BeforeValidator(fields.short(_export_path), json_schema_input_type=Text | Export),
        ]
    ] = Field(
        (),
        description="Files that the environment is written to, for editors and other tools.",
        examples=[[".env.dashboard", {"path": ".vscode/dashboard.env", "format": "vscode"}]],
    )
    set: dict[Variable, Verbatim] = Field(
        default_factory=dict,
        description="Variables that are added or replaced; values keep their text (`1.10`, `on`).",
        examples=[{"LOG_LEVEL": "debug"}],
    )
    unset: Many[Text] = Field(
        (), description="Variables that are taken out; `*` and `?` match.", examples=[["OTEL_*"]]
    )


class Volumes(Section):
    """How the Pod's files get here."""

    EXPECTED: ClassVar[str] = "`mount`, `copy` or `none`, or a mapping with `mode`"

    mode: Literal["mount", "copy", "none"] = Field(
        "mount",
        description="`mount`: live; `copy`: as they are when the session starts; `none`: not.",
        examples=["copy"],
    )
    paths: Many[AbsolutePath] = Field(
        (),
        description="Only these paths of the Pod; left out: every volume of the container.",
        examples=[["/data"]],
    )
    local: Many[AbsolutePath] = Field(
        (),
        description="Paths of the Pod that are taken from this machine all the same.",
        examples=[["/var/cache"]],
    )
    at: Text | None = Field(
        None,
        description="A folder of this machine to show them under, besides their own paths.",
        examples=["./pod"],
    )
    read_only: Flag = Field(
        False, description="Never write to the Pod's files.", examples=[True]
    )


def _volume_mode(text: str) -> dict[str, Any]:
    return {"mode": text}


class Ready(Section):
    """When the process counts as ready; every check that is given must hold."""

    EXPECTED: ClassVar[str] = "a mapping with `http`, `port`, `exec`, `log` or `timeout`"

    http: fields.Url | None = Field(
        None,
        description="An address that answers with a status below 400.",
        examples=["http://localhost:3000/healthz"],
    )
    port: Port | None = Field(
        None, description="A local port that accepts a connection.", examples=[3000]
    )
    exec: Command | None = Field(
        None, description="A command that exits with 0.", examples=["curl -f localhost:3000"]
    )
    log: Text | None = Field(
        None,
        description="A regular expression that a line of the output must match.",
        examples=["listening on"],
    )
    timeout_s: Seconds = Field(
        60.0,
        alias="timeout",
        description="How long it may take before `up` fails.",
        examples=["60s"],
        json_schema_extra={"default": "60s"},
    )


class Stop(Section):
    """How the process is ended."""

    EXPECTED: ClassVar[str] = "a mapping with `signal` or `timeout`"

    signal: Signal = Field(
        "SIGTERM", description="The signal that asks it to end.", examples=["SIGINT"]
    )
    timeout_s: Seconds = Field(
        10.0,
        alias="timeout",
        description="How long it may take before SIGKILL.",
        examples=["10s"],
        json_schema_extra={"default": "10s"},
    )


class Run(Section):
    """The local process."""

    EXPECTED: ClassVar[str] = "a mapping with `command`"

    command: Command = Field(
        description="The command: one text, or a list of words. No shell is put around it.",
        examples=["npm start", ["python", "-m", "orders"]],
    )
    cwd: Text = Field(
        ".",
        description="The folder it starts in, relative to the project folder.",
        examples=["./dashboard"],
    )
    ready: Ready = Field(
        default_factory=Ready,
        description="When it is ready; left out: every exposed local port accepts a connection.",
        examples=[{"http": "http://localhost:3000/healthz", "timeout": "60s"}],
    )
    restart: Literal["no", "on-failure", "always"] = Field(
        "no", description="Whether it is started again when it ends.", examples=["on-failure"]
    )
    watch: Many[Text] = Field(
        (),
        description="Files and folders whose change restarts it, relative to `cwd`.",
        examples=[["src"]],
    )
    stop: Stop = Field(
        default_factory=Stop,
        description="How it is ended.",
        examples=[{"signal": "SIGINT", "timeout": "10s"}],
    )
    pre: Many[Command] = Field(
        (), description="Commands that run once before it, in order.", examples=[["npm ci"]]
    )
    build: Command | None = Field(
        None,
        description="A command before a restart on change; the old process stays up if it fails.",
        examples=["npm run build"],
    )
    post: Many[Command] = Field(
        (), description="Commands that run once after it.", examples=[["rm -rf .tmp"]]
    )
    tty: Flag = Field(
        False, description="Give it a terminal of its own.", examples=[True]
    )
    depends_on: Many[Text] = Field(
        (), description="Workloads that must be ready before it.", examples=[["dashboard"]]
    )


class Workload(Section):
    """One workload of the cluster and the local process that stands in for it."""

    EXPECTED: ClassVar[str] = "a mapping with `target`"

    target: Annotated[
        TargetRef,
        BeforeValidator(
            fields.short(values.target),
            json_schema_input_type=Annotated[str, fields.text_schema(values.TARGET)] | TargetRef,
        ),
    ] = Field(
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
    volumes: Annotated[
        Volumes,
        BeforeValidator(
            fields.short(_volume_mode),
            json_schema_input_type=Literal["mount", "copy", "none"] | Volumes,
        ),
    ] = Field(
        default_factory=Volumes,
        description="How the Pod's files get here: `mount`, `copy`, `none`, or a mapping.",
        examples=["mount", {"mode": "copy", "paths": ["/data"]}],
    )
    run: Run | None = Field(
        None,
        description="The local process; left out: a shell, or one that you start yourself.",
        examples=[{"command": "npm start", "cwd": "./dashboard"}],
    )
