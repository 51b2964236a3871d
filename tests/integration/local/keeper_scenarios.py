"""What the integration tests of the keeper do, run as a program of its own.

A program, because each runs as root and as an ordinary user, who may read neither the checkout
nor root's Python: ``python keeper_scenarios.py FOLDER SCENARIO JSON`` with the package in FOLDER.
It needs the standard library only, and prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from tpconfig import errors, names
from tpconfig.local import keeper as keepers
from tpconfig.local import mounting, process, redirect, shown, sshfs, world
from tpconfig.local.inside.places import Bind

DEADLINE_S = 60.0
WORLD = world.World(
    resolv_conf=(
        f"nameserver {names.RESOLVER_ADDRESS}\n"
        "search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
    ),
    hosts="127.0.0.1 localhost\n::1 localhost\n10.1.1.1 alias.example\n",
    nsswitch="passwd: files\nhosts: files dns\n",
)
KNOWN = "orders.shop.svc.cluster.local"
KNOWN_ADDRESS = "10.9.8.7"
BIG = "big.shop.svc.cluster.local"
BIG_COUNT = 60


class Engine:
    """Stands for the tunnel: says where each connection wanted to go, and echoes."""

    def __init__(self) -> None:
        self.tcp_destinations: list[tuple[str, int]] = []
        self.udp_destinations: list[tuple[str, int]] = []
        self.questions: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def tcp(self, sock: socket.socket, destination: tuple[str, int]) -> None:
        self.tcp_destinations.append(destination)
        if destination[1] == 666:
            redirect.reset(sock)
            return
        task = asyncio.get_running_loop().create_task(self._echo(sock, destination))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _echo(self, sock: socket.socket, destination: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        with sock:
            await loop.sock_sendall(sock, "{}:{}\n".format(*destination).encode())
            while data := await loop.sock_recv(sock, 65536):
                await loop.sock_sendall(sock, data)

    def udp(
        self,
        destination: tuple[str, int],
        *,
        deliver: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> Flow:
        self.udp_destinations.append(destination)
        return Flow(destination, deliver)

    async def dns(self, query: bytes) -> bytes:
        labels, position = [], 12
        while length := query[position]:
            labels.append(query[position + 1 : position + 1 + length].decode())
            position += 1 + length
        name = ".".join(labels)
        kind = int.from_bytes(query[position + 1 : position + 3], "big")
        self.questions.append(name)
        count, code = 0, 0
        if name == KNOWN:
            count = int(kind == 1)
        elif name == BIG:
            count = BIG_COUNT if kind == 1 else 0
        elif name == "broken.example":
            raise ConnectionResetError("no link")
        else:
            code = 3
        record = struct.pack("!HHHIH", 0xC00C, 1, 1, 30, 4)
        answers = b"".join(
            record + socket.inet_aton(KNOWN_ADDRESS if count == 1 else f"10.9.9.{number}")
            for number in range(count)
        )
        head = query[:2] + struct.pack("!5H", 0x8180 | code, 1, count, 0, 0)
        return head + query[12 : position + 5] + answers


class Flow:
    def __init__(self, destination: tuple[str, int], deliver: Callable[[bytes], None]) -> None:
        self.destination = destination
        self.deliver = deliver

    def send(self, datagram: bytes) -> None:
        self.deliver("{}:{} ".format(*self.destination).encode() + datagram)

    def close(self) -> None:
        pass


class Site:
    """A keeper with its redirection, and short words for what the scenarios do with it."""

    def __init__(self, keeper: keepers.Keeper, engine: Engine) -> None:
        self.keeper = keeper
        self.engine = engine
        self.loop = asyncio.get_running_loop()

    async def run(self, *argv: str, **env: str) -> dict[str, Any]:
        """Run a program inside to its end; its output and exit code."""
        lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        spec = process.ProcessSpec("test", argv, {**os.environ, **env}, "/")

        def sink(_workload: str, stream: str, line: bytes) -> None:
            lines[stream].append(line.decode(errors="replace"))

        async with process.open_process(self.keeper, spec, sink) as running:
            code = await running.wait()
        return {"code": code, "out": lines["stdout"], "err": lines["stderr"]}

    async def python(self, code: str) -> dict[str, Any]:
        """Run a piece of Python inside."""
        return await self.run(sys.executable, "-I", "-c", code)


@asynccontextmanager
async def site(world_: world.World | None = WORLD) -> AsyncIterator[Site]:
    engine = Engine()
    with tempfile.TemporaryDirectory() as folder:
        async with keepers.open_keeper(world_, state_dir=Path(folder)) as keeper:
            if world_ is None:
                yield Site(keeper, engine)
                return
            async with redirect.open_redirect(
                keeper, tcp=engine.tcp, udp=engine.udp, dns=engine.dns
            ):
                yield Site(keeper, engine)


async def client(argv: list[str]) -> dict[str, Any]:
    """Any client program, given as arguments."""
    async with site() as here:
        result = await here.run(*argv)
        return result | {
            "tcp": here.engine.tcp_destinations,
            "udp": here.engine.udp_destinations,
            "questions": here.engine.questions,
        }


async def code(code: str) -> dict[str, Any]:
    """A client written in Python."""
    return await client([sys.executable, "-I", "-c", code])


async def inbound(listener: str) -> dict[str, Any]:
    """Connections into the namespace, to a listener inside."""
    async with site() as here:
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        spec = process.ProcessSpec(
            "test", (sys.executable, "-I", "-u", "-c", listener), dict(os.environ), "/"
        )
        async with process.open_process(
            here.keeper, spec, lambda _workload, _stream, line: lines.put_nowait(line)
        ):
            port = int(await lines.get())
            sock = await here.keeper.connect(port)
            assert sock is not None
            with sock:
                heard = (await here.loop.sock_recv(sock, 100)).decode()
            nobody = await here.keeper.connect(port + 1 if port < 65535 else port - 1)
        return {"heard": heard, "nobody": nobody is None, "tcp": here.engine.tcp_destinations}


async def shown_ports(listener: str, taken: str) -> dict[str, Any]:
    """Listeners inside, as this machine's own localhost shows them, before and after their end.

    ``listener`` prints its ports; ``taken``: the first of them is somebody's here already.
    """
    said: dict[int, str] = {}
    kept: list[int] = []
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    argv = (sys.executable, "-I", "-u", "-c", listener)
    spec = process.ProcessSpec("test", argv, dict(os.environ), "/")
    async with (
        site() as here,
        shown.show_ports(here.keeper, without=lambda: kept, say=said.__setitem__),
    ):
        with socket.create_server((taken, 0)) if taken else socket.socket() as other:
            number = other.getsockname()[1] if taken else 0
            spec = replace(spec, env={**spec.env, "TAKEN": str(number)})
            async with process.open_process(
                here.keeper, spec, lambda _workload, _stream, line: lines.put_nowait(line)
            ):
                ports = [int(port) for port in (await lines.get()).split()]
                kept.append(ports[-1])
                heard = [await _heard(port) for port in ports[:-1]]
                left_out = await _refused(ports[-1])
        gone = [await _refused(port) for port in ports]
    return {
        "heard": heard,
        "left_out": left_out,
        "gone": all(gone),
        "said": [who for port, who in said.items() if port == number],
    }


async def _heard(port: int) -> str:
    """What a connection to this machine's localhost hears, once it is taken."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            heard = (await reader.read()).decode()
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return heard


async def _refused(port: int) -> bool:
    """Whether nobody listens on this machine's localhost, at last."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return True
        writer.close()
        await asyncio.sleep(0.05)


async def low_port() -> dict[str, Any]:
    """A server on a port that only root may have elsewhere."""
    return await inbound(
        "import socket; s = socket.create_server(('', 80)); print(80); c, _ = s.accept();"
        "c.sendall(b'eighty'); c.close()"
    )


async def descriptors() -> dict[str, Any]:
    """What a child inherits, and what the owner holds before and after a busy workload."""
    own = Path("/proc/self/fd")
    before = len(list(own.iterdir()))
    async with site() as here:
        child = await here.python("import os; print(os.listdir('/proc/self/fd'))")
        for number in range(20):
            assert await here.keeper.connect(9000 + number) is None
        await here.python(
            "import socket\nfor n in range(20):\n"
            " s = socket.create_connection(('10.0.0.1', 80)); s.recv(99); s.close()"
        )
        while here.engine.tasks:
            await asyncio.sleep(0.01)
    return {"child": child["out"], "before": before, "after": len(list(own.iterdir()))}


async def two_sites() -> dict[str, Any]:
    """Two workloads side by side, with a server on the same port each."""
    server = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 8080)); print('up');"
        "c, _ = s.accept(); c.sendall(sys.argv[1].encode()); c.close()"
    )
    heard = []
    async with site() as one, site() as other:
        for here, name in ((one, "one"), (other, "other")):
            up = asyncio.Event()
            argv = (sys.executable, "-I", "-u", "-c", server, name)
            spec = process.ProcessSpec("test", argv, dict(os.environ), "/")
            said = partial(_set, up)
            async with process.open_process(here.keeper, spec, said) as running:
                await up.wait()
                sock = await here.keeper.connect(8080)
                assert sock is not None
                with sock:
                    heard.append((await here.loop.sock_recv(sock, 100)).decode())
                await running.wait()
    return {"heard": heard}


async def endings() -> dict[str, Any]:
    """Exit codes and signals, as the supervisor sees them."""
    async with site(None) as here:
        ended = [
            (await here.run("sh", "-c", script))["code"] for script in ("exit 3", "kill -9 $$")
        ]
        ended.append((await here.run("sh", "-c", "kill -TERM $$"))["code"])
        return {"codes": ended}


async def stopping(script: str, timeout_s: float) -> dict[str, Any]:
    """Stop a shell script once it says that it is up; who of its group is left?"""
    async with site(None) as here:
        up = asyncio.Event()
        spec = process.ProcessSpec("test", ("sh", "-c", script), dict(os.environ), "/")
        async with process.open_process(here.keeper, spec, lambda *_: up.set()) as running:
            await up.wait()
            code = await running.stop(signal.SIGTERM, timeout_s)
            try:
                os.killpg(running.pid, 0)
            except ProcessLookupError:
                return {"code": code, "left": False}
            return {"code": code, "left": True}


async def refusals() -> dict[str, Any]:
    """What cannot be started."""
    told = []
    async with site(None) as here:
        for argv, cwd in (
            (("no-such-command",), "/"),
            (("/etc/passwd",), "/"),
            (("true",), "/nowhere"),
        ):
            spec = process.ProcessSpec("test", argv, dict(os.environ), cwd)
            try:
                async with process.open_process(here.keeper, spec, lambda *_: None):
                    told.append("started")
            except errors.UsageError as error:
                told.append(error.message)
    return {"told": told}


async def big_environment() -> dict[str, Any]:
    """An environment larger than the socket's buffer, with bytes that are no text."""
    env = {f"KEY_{number}": "x" * 100_000 for number in range(10)} | {"ODD": os.fsdecode(b"\xff\n")}
    async with site(None) as here:
        return await here.run("sh", "-c", 'env | wc -c; printf %s "$ODD" | od -An -tx1', **env)


async def flood() -> dict[str, Any]:
    """A child that writes far more than a pipe holds, then a line without an end."""
    count, longest, last = 0, 0, b""

    def sink(_workload: str, _stream: str, line: bytes) -> None:
        nonlocal count, longest, last
        count, longest, last = count + 1, max(longest, len(line)), line

    script = "yes 0123456789 | head -c 11000000; head -c 200000 /dev/zero; printf '\\nlast'"
    async with site(None) as here:
        spec = process.ProcessSpec("test", ("sh", "-c", script), dict(os.environ), "/")
        async with process.open_process(here.keeper, spec, sink) as running:
            await running.wait()
            # The rest without an end is flushed when the pipe is closed by its last writer.
    return {"count": count, "longest": longest, "last": last.decode()}


async def owner(daemon: str, fifo: str) -> dict[str, Any]:
    """Start a daemon that leaves its parents, say so, and wait to be killed."""
    async with site() as here:
        result = await here.python(daemon)
        Path(fifo).write_text(json.dumps({"pid": int(result["out"][0]), "keeper": here.keeper.pid}))
        await asyncio.sleep(DEADLINE_S)
    return {}


async def lost_keeper() -> dict[str, Any]:
    """The keeper itself is killed."""
    async with site() as here:
        spec = process.ProcessSpec("test", ("sleep", "1000"), dict(os.environ), "/")
        async with process.open_process(here.keeper, spec, lambda *_: None) as running:
            os.kill(here.keeper.pid, signal.SIGKILL)
            code = await running.wait()
            try:
                await here.keeper.spawn(keepers.Command(("true",), {}, "/", 0, 1, 2))
            except keepers.KeeperLostError as error:
                return {"code": code, "told": error.message, "pid": running.pid}
    return {}


async def entered(
    argv: list[str], stdin: str, isolated: bool, ignored: bool = False
) -> dict[str, Any]:
    """A command that enters from outside, as ``tp run`` does, with a server running inside."""
    server = (
        "import socket, os; s = socket.create_server(('127.0.0.1', 8080)); print('up');"
        "c, _ = s.accept(); c.sendall(b'inside'); c.close()"
    )
    async with site(WORLD if isolated else None) as here:
        up = asyncio.Event()
        program = (sys.executable, "-I", "-u", "-c", server)
        spec = process.ProcessSpec("test", program, dict(os.environ), "/")
        async with process.open_process(here.keeper, spec, lambda *_: up.set()):
            await up.wait()
            # What a child ignores it has from its parent.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
            caller = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                __file__,
                sys.argv[1],
                "enter",
                json.dumps({"keeper": here.keeper.pid, "argv": argv}),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await caller.communicate(stdin.encode())
            return {"code": caller.returncode, "out": out.decode(), "err": err.decode()}


async def hostname() -> dict[str, Any]:
    """A workload that is known by the Pod's name."""
    own = socket.gethostname()
    world_ = world.World(WORLD.resolv_conf, WORLD.hosts, WORLD.nsswitch, hostname="db-0")
    async with site(world_) as here:
        inside = await here.python("import socket; print(socket.gethostname())")
        return {"inside": inside["out"], "unchanged": socket.gethostname() == own}


async def places(script: str, targets: dict[str, str], own: list[str]) -> dict[str, Any]:
    """A Pod's files at paths of its own; ``targets`` name what is to be seen there.

    ``folder`` and ``file`` may be written to, ``fixed`` may not.
    """
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name) / "folder"
        folder.mkdir()
        (folder / "x").write_text("pod")
        (folder / "doc").mkdir()
        for path in (Path(name), folder, folder / "doc"):
            path.chmod(0o755)
        (Path(name) / "file").write_text("pod")
        sources = {"folder": folder, "fixed": folder, "file": Path(name) / "file"}
        binds = tuple(
            Bind(str(sources[kind]), target, kind == "fixed") for target, kind in targets.items()
        )
        async with site(replace(WORLD, binds=binds, own=tuple(own))) as here:
            first = await here.run("sh", "-c", script)
            (folder / "x").write_text("later")
            entered = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                __file__,
                sys.argv[1],
                "enter",
                json.dumps(
                    {"keeper": here.keeper.pid, "argv": ["cat", next(iter(targets)) + "/x"]}
                ),
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await entered.communicate()
            return first | {"entered": out.decode(), "wrote": sorted(os.listdir(folder))}


async def mounted(server: str) -> dict[str, Any]:
    """Files behind an SFTP server, seen outside and inside, and what is seen once it is gone."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        pod, point = Path(name) / "pod", Path(name) / "point"
        pod.mkdir()
        (pod / "x").write_text("pod")
        program = await asyncio.create_subprocess_exec(server, stdin=ours, stdout=ours)
        ours.close()
        async with sshfs.open_sshfs(theirs, str(pod), point, read_only=False):
            outside = await asyncio.to_thread((point / "x").read_text)
            bind = Bind(str(point), "/tp-mounted", False)
            async with site(replace(WORLD, binds=(bind,))) as here:
                inside = await here.run("sh", "-c", "cat /tp-mounted/x; echo y > /tp-mounted/y")
                wrote = (pod / "y").read_text()
                program.kill()
                await program.wait()
                while mounting.mounts_below(point):
                    await asyncio.sleep(0.01)
                lost = await here.run("ls", "/tp-mounted")
        return {
            "outside": outside,
            "inside": inside["out"],
            "wrote": wrote,
            "lost": lost["code"],
            "left": [str(path) for path in mounting.mounts_below(Path(name))],
        }


async def problem() -> dict[str, Any]:
    """What keeps this machine from using the namespace method."""
    from tpconfig.local import observe

    with tempfile.TemporaryDirectory() as folder:
        found = await observe.namespace_problem(Path(folder))
    return {"problem": found and [found.reason, found.cure]}


async def shell(argv: list[str], fifo: str) -> dict[str, Any]:
    """A program on this process's own terminal; what became of the terminal goes to a pipe."""
    import termios

    from tpconfig.local import foreground

    async with site() as here:
        modes = termios.tcgetattr(0)
        spec = process.ProcessSpec("test", tuple(argv), {**os.environ, "PS1": "$ "}, "/")
        code = await foreground.run_in_foreground(here.keeper, spec)
        result = {
            "code": code,
            "ours": os.tcgetpgrp(0) == os.getpgrp(),
            "modes": modes == termios.tcgetattr(0),
            "keeper": os.path.exists(f"/proc/{here.keeper.pid}"),
        }
    Path(fifo).write_text(json.dumps(result))
    return result


async def renamed_resolv_conf() -> dict[str, Any]:
    """The machine replaces its resolv.conf by renaming, while a workload runs."""
    async with site() as here:
        seen = [await here.run("cat", "/etc/resolv.conf")]
        for round_ in range(3):
            Path("/etc/new").write_text(f"nameserver 192.0.2.{round_}\n")
            os.rename("/etc/new", "/etc/resolv.conf")
        # The keeper hears of it by itself; asking it something orders this after its ear.
        for _ in range(200):
            seen.append(await here.run("cat", "/etc/resolv.conf"))
            if seen[-1]["out"] == seen[0]["out"]:
                break
        return {
            "first": seen[0]["out"],
            "last": seen[-1]["out"],
            "outside": Path("/etc/resolv.conf").read_text(),
        }


def _set(event: asyncio.Event, *_: object) -> None:
    event.set()


SCENARIOS = {
    function.__name__: function
    for function in (
        client,
        code,
        inbound,
        low_port,
        shown_ports,
        descriptors,
        two_sites,
        endings,
        stopping,
        refusals,
        big_environment,
        flood,
        owner,
        lost_keeper,
        entered,
        renamed_resolv_conf,
        shell,
        hostname,
        mounted,
        places,
        problem,
    )
}


async def main(name: str, arguments: dict[str, Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        result = await SCENARIOS[name](**arguments)
    sys.stdout.write(json.dumps(result) + "\n")


def start(name: str, arguments: dict[str, Any]) -> None:
    if name == "enter":
        keepers.enter(arguments["keeper"], arguments["argv"], dict(os.environ), "/")
    if arguments.pop("uvloop", False):
        import uvloop

        uvloop.run(main(name, arguments))
    else:
        asyncio.run(main(name, arguments))


if __name__ == "__main__":
    start(sys.argv[2], json.loads(sys.argv[3]))
