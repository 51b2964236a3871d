"""One workload on this machine: its link, its network namespace, its environment, its process."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace

from tpconfig.local import environment, observe, world
from tpconfig.local.keeper import Keeper
from tpconfig.model.desired import Forward, Workload
from tpconfig.model.events import LinkChanged, Remark
from tpconfig.model.observed import HostedFacts
from tpconfig.model.target import PodPort, PortPair
from tpconfig.session import exporting
from tpconfig.session.forwarding import Forwarding
from tpconfig.session.here import Here as Here
from tpconfig.session.here import PodSide as PodSide
from tpconfig.session.hold import Held, hold
from tpconfig.session.podfiles import PodFiles
from tpconfig.session.running import Running
from tpconfig.session.traffic import Dialer, open_inside, open_redirection
from tpconfig.tunnel.inbound import Inbound, open_inbound
from tpconfig.tunnel.link import Link, Timing, open_link
from tpconfig.tunnel.pipe import Connect


@dataclass(slots=True)
class Hosted:
    """The machine's side of one workload; every step can be asked for in any state."""

    workload: Workload
    here: Here
    pod: PodSide | None = None
    ports: tuple[PortPair, ...] = ()
    handed_over: str | None = None
    serving: bool = False
    env: dict[str, str] = field(default_factory=dict)
    _started: str | None = None
    _renewals: int = 0
    _link: Held[Link] | None = None
    _keeper: Held[Keeper] | None = None
    _inside: world.World | None = None
    _redirect: Held[None] | None = None
    _way: tuple[object, ...] = ()
    _inbound: Held[Inbound] | None = None
    files: PodFiles = field(init=False)
    running: Running = field(init=False)
    _dialer: Dialer = field(init=False)
    _forwarding: Forwarding = field(init=False)

    def __post_init__(self) -> None:
        self.running = Running(self.workload.name, self.here.group, self.here.emit)
        self._dialer = Dialer(lambda: self.keeper)
        folder = self.here.state.files / self.workload.name
        self.files = PodFiles(self.here.group, folder, lambda text: self.here.emit(Remark(text)))
        link = lambda: self._link.value if self._link else None  # noqa: E731
        self._forwarding = Forwarding(self.here.group, link, self.here.emit)

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """The ports of this machine that this workload's link carries into the cluster."""
        return self._forwarding.forwards

    async def forward(self, forwards: tuple[Forward, ...]) -> None:
        """Have exactly these ports of this machine arrive in the cluster."""
        await self._forwarding.change(forwards)

    @property
    def process(self) -> str | None:
        """The fingerprint of the command that was started; what could not be started is none."""
        return self._started if self.running.begun else None

    @property
    def exit_code(self) -> int | None:
        """What the process ended with, once it has ended by itself and is not started again."""
        return self.running.exit_code

    @property
    def keeper(self) -> Keeper | None:
        """The keeper of the workload's processes, once its environment is here."""
        return self._keeper.value if self._keeper else None

    @property
    def link_up(self) -> bool:
        """Whether the link carries streams right now."""
        return self._link is not None and self._link.value.state == "up"

    @property
    def files_lost(self) -> bool:
        """Whether a mount of the Pod's files has to be made again, and can be."""
        return self.link_up and self.files.lost

    @property
    def rtt_s(self) -> float | None:
        """The last round trip to the agent, in seconds."""
        return self._link.value.rtt_s if self._link else None

    @property
    def lost_s(self) -> float | None:
        """Seconds since the link lost its connection; None while it has one."""
        return self._link.value.lost_s if self._link else None

    @property
    def reconnects(self) -> int:
        """How many connections of the link have been replaced."""
        return self._link.value.reconnects if self._link else 0

    def take_renewal(self) -> bool:
        """Tell, once, that the agent had forgotten us: what it does is to be looked at again."""
        before, self._renewals = self._renewals, self._link.value.renewals if self._link else 0
        return self._renewals > before

    async def facts(self) -> HostedFacts:
        """Say what is here, in the planner's words."""
        return HostedFacts(
            workload=self.workload.name,
            agent=self.pod.pod if self.pod else "",
            ports=self.ports,
            handed_over=None if self.files_lost else self.handed_over,
            process=self.process,
            serving=self.serving,
            listening=await self.listening() if self.workload.run is None else False,
            forwards=self.forwards,
        )

    async def connect(
        self, pod: PodSide, connect: Connect, secret: str, ports: tuple[PortPair, ...]
    ) -> None:
        """Have a link to ``pod`` and exactly ``ports`` listening there."""
        if self.pod != pod or self._link is None:
            await self._close_link()
            self.pod, self.ports, self.serving = pod, (), False
            self._inbound = await hold(
                self.here.group,
                open_inbound(self._dialer.await_listener, preface=self._dialer.preface),
            )
            block = open_link(
                connect,
                secret=bytes.fromhex(secret),
                session=self.here.session,
                serve=self._inbound.value.serve,
                on_state=self._link_changed,
                timing=Timing(reconnect_s=self.here.reconnect_s),
            )
            self._renewals = 0
            self._link = await hold(self.here.group, block)
            await self._link.value.grace(pod.grace_s)
            await self._redirect_to(self._link.value)
            await self.files.attach(self._link.value)
        link = self._link.value
        self._dialer.pairs = {pair.pod: pair for pair in ports}
        for pair in self.ports:
            if pair.pod not in self._dialer.pairs:
                await link.unlisten(pair.pod.number, pair.pod.protocol)
        for pair in ports:
            if all(pair.pod != known.pod for known in self.ports):
                await link.listen(pair.pod.number, pair.pod.protocol)
        self.ports = ports

    async def hand_over(self, fingerprint: str) -> str:
        """Make the Pod's names and environment the workload's; write the exports.

        What runs inside goes on, a shell for one, unless it would see other names than before.
        """
        assert self._link is not None
        assert self.pod is not None
        described = self._link.value.describe
        wish = self.workload.volumes
        if not self.files.stay(self._link.value, described, wish):
            await self._close_keeper()
        said = await self.files.open(self._link.value, described, wish, self.pod.mount_paths)
        inside = None
        if self.here.method == "namespace":
            own = observe.name_files()
            theirs = world.NameFiles(described.hostname, described.resolv_conf, described.hosts)
            binds, remarks = self.files.binds(self.here.environ.get("HOME", ""), self.workload.run)
            inside = replace(world.build(theirs, own), binds=tuple(binds), own=wish.local)
            said += remarks
        if self._inside != inside:
            await self._close_keeper()
        if self._keeper is None:
            block = open_inside(
                inside, self.here.state.folder, lambda: self.workload.pod_localhost, self._remark
            )
            self._keeper, self._inside = await hold(self.here.group, block), inside
        await self._redirect_to(self._link.value)
        changes = environment.Changes(self.workload.env.set, self.workload.env.unset)
        name, pod, container = self.workload.name, described.hostname, self.pod.container
        self.env = environment.additions(
            environment.PodEnvironment(described.env, self.pod.spec_keys),
            environment.Whereabouts(name, pod, container, self.files.root, self.files.shown),
            changes,
        )
        said += exporting.write(self.here.leftovers, self.workload, self.env, self.files.root)
        self.handed_over = fingerprint
        counts = [f"{len(self.env)} variables"]
        if self.files.shown:
            counts.append(f"{len(self.files.shown)} volumes")
        return "; ".join([", ".join(counts), *said])

    def process_environment(self) -> dict[str, str]:
        """Return the whole environment of the workload's processes."""
        wish = self.workload.env
        changes = environment.Changes(wish.set, wish.unset)
        return environment.process_environment(self.here.environ, self.env, changes)

    async def start(self, fingerprint: str) -> None:
        """Start the workload's command and wait until it is ready.

        Raises:
            TpError: it ended, or was not ready in time; with the last lines that it wrote.
        """
        run = self.workload.run
        assert run is not None
        assert self._keeper is not None
        self._started = fingerprint
        env = self.process_environment()
        await self.running.start(run, self._keeper.value, env, self._closed_ports)

    async def dial(self, port: PodPort) -> socket.socket | None:
        """Connect to who serves a port of the Pod here, as a caller from the cluster does."""
        return await self._dialer.await_listener(port)

    async def listening(self) -> bool:
        """Tell whether any exposed local TCP port accepts a connection."""
        return any([await self._accepts(pair) for pair in self.ports])

    async def serve(self, *, ready: bool) -> None:
        """Have the agent say that it can serve, or that it cannot."""
        assert self._link is not None
        if ready or self.link_up:
            await self._link.value.ready(ready)
        self.serving = ready

    async def stop(self) -> None:
        """Stop the workload's command."""
        self._started = None
        await self.running.stop()

    async def disconnect(self) -> None:
        """Close everything; remove the exports that are not to be kept."""
        await self.forward(())
        await self.stop()
        await self._close_keeper()
        await self.files.close()
        await self._close_link()
        for remark in self.here.leftovers.retire(self.workload.name):
            self.here.emit(Remark(remark))
        self.pod, self.ports, self.handed_over, self.serving = None, (), None, False

    async def _closed_ports(self) -> str | None:
        """Say which exposed ports do not accept connections yet."""
        closed = [one for one in self.ports if one.pod.protocol == "tcp"]
        closed = [one for one in closed if not await self._accepts(one)]
        ports = ", ".join(str(one.local) for one in closed)
        return f"nothing listened on {ports}" if closed else None

    async def _accepts(self, pair: PortPair) -> bool:
        if pair.pod.protocol != "tcp":
            return False
        sock = await self._dialer.dial(pair.pod)
        if sock is None:
            return False
        sock.close()
        return True

    def _remark(self, text: str) -> None:
        self.here.emit(Remark(f"{self.workload.name}: {text}"))

    def _link_changed(self, state: str, reason: str) -> None:
        self.here.emit(LinkChanged(self.workload.name, state == "up", reason))

    async def _redirect_to(self, link: Link) -> None:
        """Have what the processes send go through this link; they stay as they are."""
        way = (link, self.keeper, self.here.outbound, self.workload.pod_localhost)
        if self._redirect is not None and way == self._way:
            return
        redirect, self._redirect, self._way = self._redirect, None, way
        if redirect is not None:
            await redirect.close()
        if self.keeper is not None:
            redirection = open_redirection(
                self.keeper,
                link,
                self.here.outbound,
                api_server=self.here.api_server,
                near=self.here.near,
                pod_ports=self.workload.pod_localhost,
            )
            self._redirect = await hold(self.here.group, redirection)

    async def _close_keeper(self) -> None:
        redirect, keeper = self._redirect, self._keeper
        self._redirect = self._keeper = None
        if redirect is not None:
            await redirect.close()
        if keeper is not None:
            await keeper.close()

    async def _close_link(self) -> None:
        link, inbound = self._link, self._inbound
        self._link = self._inbound = None
        if link is not None:
            await link.close()
        if inbound is not None:
            await inbound.close()
