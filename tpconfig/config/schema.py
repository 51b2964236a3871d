"""The models of the whole file: every key of version 1, with its description and an example.

What has no engine yet is here all the same (see ``unsupported``), so a file that is valid stays
valid and no key is ever ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field

from tpconfig.config import fields
from tpconfig.config.fields import (
    AbsolutePath,
    DestinationText,
    ForwardText,
    HostKey,
    Many,
    Method,
    Name,
    Namespace,
    ObjectName,
    Port,
    Seconds,
    Section,
    SshHost,
    Text,
)
from tpconfig.config.nodes import Path
from tpconfig.config.workload import Workload
from tpconfig.model.desired import AgentImage

VERBATIM: Final[tuple[Path, ...]] = (
    ("workloads", "*", "env", "set", "*"),
    ("workloads", "*", "match", "headers", "*"),
    ("workloads", "*", "run", "command"),
    ("workloads", "*", "run", "command", "*"),
    ("workloads", "*", "run", "build"),
    ("workloads", "*", "run", "build", "*"),
    ("workloads", "*", "run", "pre", "*"),
    ("workloads", "*", "run", "pre", "*", "*"),
    ("workloads", "*", "run", "post", "*"),
    ("workloads", "*", "run", "post", "*", "*"),
    ("workloads", "*", "run", "ready", "exec"),
    ("workloads", "*", "run", "ready", "exec", "*"),
)
"""Where a value is its text, whatever it looks like: ``VERSION: 1.10``, ``[sleep, 010]``."""

_HEADS: Final = frozenset(pattern[2:4] for pattern in VERBATIM)
_DEFAULT_IMAGE: Final = AgentImage()


def verbatim(path: Path) -> bool:
    """Say whether a value keeps its text."""
    if path[2:4] not in _HEADS:
        return False
    return any(
        len(path) == len(pattern)
        and all(want in ("*", part) for want, part in zip(pattern, path, strict=True))
        for pattern in VERBATIM
    )


class Image(Section):
    """The image that the agent runs in."""

    EXPECTED: ClassVar[str] = "an image's name, or a mapping with `name` and `python`"

    name: Text | None = Field(
        None,
        description="Any image with Python 3.11 or newer; left out: $TP_IMAGE, else "
        f"{_DEFAULT_IMAGE.name}.",
        examples=["python:3.13-slim"],
    )
    python: AbsolutePath | None = Field(
        None,
        description="Where Python is in that image; left out: $TP_IMAGE_PYTHON, else "
        f"{_DEFAULT_IMAGE.python}.",
        examples=["/usr/local/bin/python3"],
    )


def _image_name(text: str) -> dict[str, Any]:
    return {"name": text}


ImageEntry = Annotated[
    Image, BeforeValidator(fields.short(_image_name), json_schema_input_type=Text | Image)
]


class Bastion(Section):
    """A jump host in front of the API server."""

    EXPECTED: ClassVar[str] = "a mapping with `host`"

    host: SshHost = Field(
        description="The jump host, by its name in ssh_config or DNS.",
        examples=["jump.example.com"],
    )
    port: Port | None = Field(
        None, description="The port of its sshd; left out: ssh_config's, else 22.", examples=[22]
    )
    user: Text | None = Field(
        None,
        description="Who logs in there; left out: ssh_config's, else your own name.",
        examples=["${USER}"],
    )
    identity: Text | None = Field(
        None,
        description="The private key; left out: ssh_config's, the agent's, else ssh's usual ones.",
        examples=["~/.ssh/id_ed25519"],
    )
    host_key: HostKey = Field(
        "known",
        description="Who the jump host has to be: `known`: known_hosts has its key; `accept-new`: "
        "the key that comes first is written there; or the public key itself.",
        examples=["accept-new"],
    )
    config: Text | None = Field(
        None,
        description="An ssh_config to read instead of your own, relative to the project folder.",
        examples=["./ssh_config"],
    )


class Cluster(Section):
    """Which cluster, and what runs there for us."""

    EXPECTED: ClassVar[str] = "a mapping with `context` or `namespace`"

    context: Text | None = Field(
        None,
        description="The context of the kubeconfig; left out: the current one.",
        examples=["dev"],
    )
    namespace: Namespace | None = Field(
        None,
        description="The namespace of the targets below; left out: the context's.",
        examples=["shop"],
    )
    image: ImageEntry = Field(
        default_factory=Image,
        description="The image that the agent runs in.",
        examples=[{"name": "python:3.13-slim", "python": "/usr/local/bin/python3"}],
    )
    image_pull_secrets: Many[ObjectName] = Field(
        (),
        description="Secrets to pull the agent's image with, besides the workload's own.",
        examples=[["registry"]],
    )
    protected: Many[Text] = Field(
        (),
        description="Contexts that need `--yes-i-mean CONTEXT`; `*` and `?` match.",
        examples=[["prod*"]],
    )
    bastion: Bastion | None = Field(
        None,
        description="The API server is reached through this SSH jump host.",
        examples=[{"host": "jump.example.com", "user": "${USER}"}],
    )


class Session(Section):
    """How a session behaves towards the cluster and towards colleagues."""

    EXPECTED: ClassVar[str] = "a mapping with `ttl` or `on_conflict`"

    ttl_s: Seconds = Field(
        60.0,
        alias="ttl",
        description="How long the cluster keeps the swaps after it last heard of this machine; "
        "10s at least.",
        examples=["60s"],
        json_schema_extra={"default": "60s"},
    )
    on_conflict: Literal["fail", "wait", "takeover"] = Field(
        "fail",
        description="What happens when somebody else holds a target.",
        examples=["wait"],
    )
    reconnect_s: Seconds = Field(
        300.0,
        alias="reconnect",
        description="How long open streams wait for a lost link.",
        examples=["5m"],
        json_schema_extra={"default": "5m"},
    )
    janitor: Literal["auto", "required", "off"] = Field(
        "auto",
        description="Whether something in the cluster restores it when this machine is gone.",
        examples=["required"],
    )
    linger_s: Seconds = Field(
        0.0,
        alias="linger",
        description="How long the agent stays after `tp down` for the next `tp up` to take over.",
        examples=["10m"],
        json_schema_extra={"default": "0s"},
    )


class Outbound(Section):
    """Which connections leave from where; loopback stays on this machine always."""

    EXPECTED: ClassVar[str] = "a mapping with `machine`, `pod` or `default`"

    default: Literal["pod", "machine"] = Field(
        "pod", description="Where everything goes that no rule names.", examples=["machine"]
    )
    machine: Many[DestinationText] = Field(
        (),
        description="Host patterns, addresses, CIDRs and ports that leave from this machine.",
        examples=[["*.corp.example.com", "10.20.0.0/16", ":5432"]],
    )
    pod: Many[DestinationText] = Field(
        (),
        description="The same for what leaves from the Pod.",
        examples=[["*.svc", "10.96.0.0/12"]],
    )


class File(Section):
    """A whole `telepresence.yaml`."""

    EXPECTED: ClassVar[str] = "a mapping with `version: 1`"

    version: Literal[1] = Field(description="The version of this format.", examples=[1])
    include: Many[Text] = Field(
        (),
        description="Files that this one is laid over, relative to it; the later wins.",
        examples=[["../team/telepresence.base.yaml"]],
    )
    name: Name | None = Field(
        None,
        description="The session's name; left out: the folder's name.",
        examples=["shop"],
    )
    cluster: Cluster = Field(
        default_factory=Cluster,
        description="Which cluster; left out: the current context of the kubeconfig.",
        examples=[{"context": "dev", "namespace": "shop"}],
    )
    session: Session = Field(
        default_factory=Session,
        description="How the session behaves towards the cluster and towards colleagues.",
        examples=[{"ttl": "60s", "on_conflict": "fail"}],
    )
    method: Method = Field(
        "auto",
        description="Whose traffic goes through the cluster, and how; `auto`: the first that works "
        "here without root.",
        examples=["namespace"],
    )
    socks: Port | None = Field(
        None,
        description="Also a SOCKS5 proxy on this port of this machine, names resolved in the Pod.",
        examples=[1080],
    )
    outbound: Outbound = Field(
        default_factory=Outbound,
        description="Which connections leave from the Pod and which from this machine.",
        examples=[{"machine": ["*.corp.example.com"]}],
    )
    workloads: dict[Name, Workload] = Field(
        default_factory=dict,
        description="The workloads that local processes stand in for, by the names used in `tp "
        "up NAME` and everywhere else.",
        examples=[{"dashboard": {"target": "deployment/dashboard-ui", "expose": ["3000:8080"]}}],
    )
    forwards: Many[ForwardText] = Field(
        (),
        description="Local ports that arrive in the cluster: [BIND:]LOCAL:HOST:PORT; LOCAL and "
        "PORT may be ranges of one length.",
        examples=[["5432:postgres.data:5432"]],
    )
