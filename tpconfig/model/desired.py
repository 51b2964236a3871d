"""The wish: what the file asks for, resolved as far as the file alone can tell.

``Desired()`` without workloads is the wish of ``tp down``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tpconfig.model.target import ProxyProtocol, Target
from tpconfig.source import Source


@dataclass(frozen=True, slots=True)
class AgentImage:
    """The image that the agent runs in, and the absolute path of its Python."""

    name: str = "python:3.13-slim"
    python: str = "/usr/local/bin/python3"
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expose:
    """One entry of ``expose``; ``cluster`` is a port of the container, by number or name.

    A caller waits up to ``wait_s`` for somebody to listen here; ``proxy_protocol`` tells who calls.
    """

    local: int
    cluster: int | str
    protocol: str = "tcp"
    wait_s: float = 0.0
    proxy_protocol: ProxyProtocol | None = None
    source: Source | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Export:
    """A file that the environment is written to; ``path`` is absolute."""

    path: str
    format: str = "dotenv"
    keep: bool = False
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EnvironmentWish:
    """What the file adds to and takes from the Pod's environment; ``unset`` holds globs."""

    set: tuple[tuple[str, str], ...] = ()
    unset: tuple[str, ...] = ()
    exports: tuple[Export, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumesWish:
    """How the Pod's files come here; ``at`` is absolute.

    ``paths`` limits what comes, ``local`` are paths of the Pod that stay this machine's own.
    """

    mode: str = "mount"
    paths: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    at: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """When a process counts as ready; without any check, once its exposed ports accept.

    ``log`` is a regular expression; ``port`` one of this machine. The process has run for
    ``delay_s`` before anything is asked, and ``timeout_s`` counts from then.
    """

    http: str | None = None
    port: int | None = None
    exec: tuple[str, ...] = ()
    log: str | None = None
    delay_s: float = 0.0
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """The local process; ``cwd`` and what is watched are absolute.

    ``restart`` is ``no``, ``on-failure`` or ``always``; ``build`` comes before a restart on change.
    """

    argv: tuple[str, ...]
    cwd: str
    ready: Ready = Ready()
    restart: str = "no"
    watch: tuple[str, ...] = ()
    pre: tuple[tuple[str, ...], ...] = ()
    build: tuple[str, ...] = ()
    post: tuple[tuple[str, ...], ...] = ()
    stop_signal: str = "SIGTERM"
    stop_timeout_s: float = 10.0
    depends_on: tuple[str, ...] = ()
    source: Source | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Destination:
    """A rule of ``outbound``: a host glob or a network in CIDR notation, a port, or both."""

    host: str | None = None
    network: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Outbound:
    """Which destinations leave from this machine, and which through the Pod."""

    default: str = "pod"
    machine: tuple[Destination, ...] = ()
    pod: tuple[Destination, ...] = ()


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of this machine that arrives in the cluster; without ``host``, a SOCKS5 proxy.

    ``bind`` is the address of this machine that is listened on, ``*`` for every one.
    """

    local: int
    host: str | None = None
    port: int = 0
    bind: str = "127.0.0.1"
    source: Source | None = field(default=None, compare=False)

    def __str__(self) -> str:
        bind = f"[{self.bind}]" if ":" in self.bind else self.bind
        if self.host is None:
            return f"{bind}:{self.local} (SOCKS5)"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{bind}:{self.local} -> {host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Workload:
    """One entry of ``workloads``; ``exposes`` of ``None`` means: what the Services send there.

    ``strategy``: ``auto``, ``overlap`` or ``recreate``; ``init``: with the Pod's init containers.
    """

    name: str
    target: Target
    container: str | None = None
    mode: str = "swap"
    strategy: str = "auto"
    init: bool = True
    exposes: tuple[Expose, ...] | None = None
    env: EnvironmentWish = EnvironmentWish()
    volumes: VolumesWish = VolumesWish()
    pod_localhost: tuple[int, ...] = ()
    run: Run | None = None
    source: Source | None = field(default=None, compare=False)
    target_source: Source | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Bastion:
    """The SSH jump host before the API server; what is None is ssh_config's to say.

    ``host_key`` is ``known`` (known_hosts has it), ``accept-new``, or the key itself. ``identity``
    and ``config`` (instead of ``~/.ssh/config``) are absolute.
    """

    host: str
    port: int | None = None
    user: str | None = None
    identity: str | None = None
    host_key: str = "known"
    config: str | None = None
    source: Source | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SessionWish:
    """Who a session is and how long the cluster keeps its changes without hearing of it."""

    name: str
    ttl_s: float = 60.0
    reconnect_s: float = 300.0
    on_conflict: str = "fail"
    file: str = ""
    image: AgentImage = AgentImage()


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that one ``tp up`` asks for.

    ``now`` moves the traffic of workloads without ``run`` before anybody listens. ``janitor`` is
    ``auto``, ``required`` or ``off``.
    """

    workloads: tuple[Workload, ...] = ()
    method: str = "auto"
    outbound: Outbound = Outbound()
    now: bool = False
    janitor: str = "off"
    forwards: tuple[Forward, ...] = ()
