"""``tp``'s end of the keeper: the separate program in which a workload's processes live.

A keeper makes the namespaces, starts the processes and ends them when ``tp`` is gone, however it
went. What ``tp`` itself needs of the inside are sockets: they are made there and passed out, so
that one event loop out here serves them all.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final, NoReturn

from tpconfig.errors import TpError, UsageError
from tpconfig.local import sockdiag
from tpconfig.local.diagnosis import Diagnosis, Failure, diagnose
from tpconfig.local.inside import loop as inside
from tpconfig.local.inside import wire
from tpconfig.local.keeperlink import Answer, Conversation, KeeperLostError, RefusedError
from tpconfig.local.loopback import connect_loopback
from tpconfig.local.world import World

__all__ = ["Child", "Command", "Keeper", "KeeperLostError", "MethodError", "enter", "open_keeper"]

Address = tuple[str, int]

PROGRAM: Final = Path(__file__).with_name("keeper_main.py")
_SPARES: Final = 8
_END_S: Final = inside.GRACE_S + 8.0


class MethodError(UsageError):
    """The namespace method does not work on this machine."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(
            f"the namespace method does not work here: {diagnosis.reason}", hint=diagnosis.cure
        )
        self.diagnosis = diagnosis


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start. The descriptors stay the caller's; the child gets copies.

    ``foreground``: it gets the terminal that ``stdin`` is, Ctrl-C and job control included.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: int
    stdout: int
    stderr: int
    foreground: bool = False


class Child:
    """A started program and the process group it leads."""

    def __init__(self, pid: int, conversation: Conversation) -> None:
        self.pid = pid
        self._conversation = conversation
        self._exit = conversation.exit_of(pid)

    async def wait(self) -> int:
        """Return its exit code, or ``-N`` where signal N ended it."""
        return await asyncio.shield(self._exit)

    async def signal(self, number: int) -> bool:
        """Send a signal to its process group; return whether anybody is left in it."""
        return await self._conversation.signal(self.pid, number)


class Keeper:
    """A running keeper.

    Attributes:
        pid: of the keeper's process; its namespaces are the workload's.
        tcp_listener: accepts every redirected connection; ``getsockname`` of the accepted socket
            is where the process wanted to go. ``None`` without namespaces, as the next two.
        udp_listener: every redirected datagram, with ``IP_ORIGDSTADDR``.
        voice: sends whole IPv4 packets to the processes, as anybody.
        remarks: what had to be left out on this machine.
    """

    def __init__(self, pid: int, conversation: Conversation, ready: wire.Message) -> None:
        self.pid = pid
        self.remarks: tuple[str, ...] = tuple(ready["ready"])
        self.tcp_listener: socket.socket | None = None
        self.udp_listener: socket.socket | None = None
        self.voice: socket.socket | None = None
        self._conversation = conversation
        self._spares: deque[socket.socket] = deque()
        self._spares_asked_for = False

    @property
    def isolated(self) -> bool:
        """Whether the processes have network and mounts of their own."""
        return self.tcp_listener is not None

    async def spawn(self, command: Command) -> Child:
        """Start a program inside.

        Raises:
            UsageError: there is no such command or folder.
        """
        request: wire.Message = {
            "do": "spawn",
            "argv": list(command.argv),
            "env": dict(command.env),
            "cwd": command.cwd,
            "foreground": command.foreground,
        }
        descriptors = (command.stdin, command.stdout, command.stderr)
        try:
            answer, _ = await self._conversation.ask(request, descriptors)
        except RefusedError as refused:
            raise _not_started(command, refused) from refused
        return Child(answer["pid"], self._conversation)

    async def connect(self, port: int) -> socket.socket | None:
        """Connect to ``port`` on the loopback inside, IPv4 first; ``None`` where nobody listens."""
        return await connect_loopback(port, self._socket)

    async def listen(self, port: int) -> list[socket.socket]:
        """Return sockets that listen on ``port`` of the loopback inside, IPv4 and IPv6.

        Raises:
            TpError: somebody inside listens there.
        """
        socks = []
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                sock = await self._socket(family)
            except (RefusedError, OSError):
                continue  # no IPv6 here
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((host, port))
                sock.listen()
            except OSError as error:
                sock.close()
                if family == socket.AF_INET6:
                    continue
                raise TpError(
                    f"port {port} cannot be listened on: {error.strerror}",
                    hint="pod_localhost takes ports that nobody here listens on",
                ) from error
            socks.append(sock)
        return socks

    async def connect_udp(self, port: int) -> socket.socket:
        """Return a UDP socket that sends to ``port`` on the loopback inside."""
        if self.isolated:
            sock = await self._make(socket.AF_INET, socket.SOCK_DGRAM)
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        return sock

    async def diag(self) -> socket.socket | None:
        """Return a socket that asks about the network inside; ``None`` where there is no such."""
        try:
            return await self._make(socket.AF_NETLINK, socket.SOCK_RAW, sockdiag.NETLINK_SOCK_DIAG)
        except (RefusedError, KeeperLostError):
            return None

    def close(self) -> None:
        """Close what the keeper has handed out and nobody has taken."""
        for sock in (self.tcp_listener, self.udp_listener, self.voice, *self._spares):
            if sock is not None:
                sock.close()
        self._spares.clear()
        self._spares_asked_for = True

    async def _socket(self, family: socket.AddressFamily) -> socket.socket:
        """Make a socket inside; for IPv4 there are some at hand, which saves asking."""
        if not self.isolated:
            sock = socket.socket(family)
            sock.setblocking(False)
            return sock
        spare = self._spares.popleft() if family == socket.AF_INET and self._spares else None
        if family == socket.AF_INET and len(self._spares) < _SPARES // 2:
            self._ask_for_spares()
        if spare is not None:
            return spare
        return await self._make(family, socket.SOCK_STREAM)

    async def _make(
        self, family: socket.AddressFamily, kind: socket.SocketKind, protocol: int = 0
    ) -> socket.socket:
        _, (descriptor,) = await self._conversation.ask(_sockets(family, kind, 1, protocol))
        return _socket(descriptor)

    def _ask_for_spares(self) -> None:
        if not self._spares_asked_for:
            self._spares_asked_for = True
            request = _sockets(socket.AF_INET, socket.SOCK_STREAM, _SPARES)
            self._spares_asked_for = self._conversation.post(request, self._take_spares)

    def _take_spares(self, answer: Answer) -> None:
        self._spares.extend(map(_socket, answer[1]))
        self._spares_asked_for = False


def _sockets(
    family: socket.AddressFamily, kind: socket.SocketKind, count: int, protocol: int = 0
) -> wire.Message:
    of = {"family": int(family), "kind": int(kind), "protocol": protocol}
    return {"do": "sockets", "count": count, **of}


@asynccontextmanager
async def open_keeper(world: World | None, *, state_dir: Path) -> AsyncIterator[Keeper]:
    """Start a keeper; every process that it started has ended when the block is left.

    ``world`` of ``None``: no namespaces, only supervision.

    Raises:
        MethodError: this machine does not allow the namespaces, with the cure as hint.
        KeeperLostError: the keeper failed in a way that was not foreseen.
    """
    scratch = state_dir / "world"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with tempfile.TemporaryFile() as said:
        try:
            with theirs:
                program = _start(theirs, said)
        except BaseException:
            ours.close()
            raise
        conversation = Conversation(ours, said)
        try:
            keeper = await _greet(conversation, program, world, str(scratch))
            try:
                yield keeper
            finally:
                keeper.close()
        finally:
            conversation.close()
            await _ended(program)


def _start(theirs: socket.socket, said: IO[bytes]) -> subprocess.Popen[bytes]:
    descriptor = theirs.fileno()
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(PROGRAM), "keep", str(descriptor)],
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        cwd="/",
    )


async def _greet(
    conversation: Conversation, program: subprocess.Popen[bytes], world: World | None, scratch: str
) -> Keeper:
    wish = None
    if world is not None:
        files = {
            "resolv.conf": world.resolv_conf,
            "hosts": world.hosts,
            "nsswitch.conf": world.nsswitch,
        }
        binds = [asdict(bind) for bind in world.binds]
        wish = {"hostname": world.hostname, "files": files, "binds": binds, "own": [*world.own]}
    await conversation.tell({"world": wish, "scratch": scratch})
    ready, descriptors = await conversation.first()
    if "failed" in ready:
        raise MethodError(diagnose(Failure(ready["failed"], ready["text"], ready["errno"])))
    keeper = Keeper(program.pid, conversation, ready)
    if descriptors:
        keeper.tcp_listener, keeper.udp_listener, keeper.voice = map(_socket, descriptors)
    return keeper


async def _ended(program: subprocess.Popen[bytes]) -> None:
    """Wait for the keeper, which has heard that it is over, and for nothing longer than that."""
    try:
        await asyncio.to_thread(program.wait, _END_S)
    except subprocess.TimeoutExpired:
        program.kill()
        await asyncio.to_thread(program.wait)


def _socket(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    return sock


def _not_started(command: Command, refused: RefusedError) -> UsageError:
    words = os.strerror(refused.number)
    if refused.stage == "cwd":
        return UsageError(f"cannot start in {command.cwd}: {words}")
    if refused.number == errno.ENOENT:
        return UsageError(f"{command.argv[0]}: command not found")
    return UsageError(f"cannot start {command.argv[0]}: {words}")


def enter(keeper_pid: int, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> NoReturn:
    """Become ``argv`` inside a keeper's namespaces, if it has any; for ``tp run``.

    This process is replaced: its descriptors 0, 1 and 2, its terminal and its process group stay
    as they are, and its exit code will be the program's. 125 means that it could not get in, 126
    and 127 are the shell's.
    """
    request = {"keeper": keeper_pid, "argv": list(argv), "env": dict(env), "cwd": cwd}
    with tempfile.TemporaryFile() as file:
        file.write(wire.encode(request)[1])
        file.seek(0)
        descriptor = os.dup(file.fileno())
    os.set_inheritable(descriptor, True)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    own = [sys.executable, "-I", "-S", str(PROGRAM), "enter", str(descriptor)]
    os.execv(sys.executable, own)
