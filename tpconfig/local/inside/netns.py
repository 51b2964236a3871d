"""A network namespace whose every connection ends in two listeners of ours, without being root.

``lo`` is the only device; the default route leads through it, a mark turns the packets round, and
TPROXY hands them to the listeners with their destination untouched: the accepted socket's own
name is where the process wanted to go. No connection tracking. There is no route for IPv6, so
everything but ``::1`` is unreachable at once and programs fall back to IPv4.
"""

from __future__ import annotations

import os
import socket
from typing import Final

from tpconfig.local.inside import syscalls

ADDRESS: Final = "198.18.0.1"
"""The processes' own address: RFC 2544 space; glibc asks for A records only if there is one."""

LISTENER: Final = ("127.127.127.127", 1)
"""Where both listeners are bound: an address and port that no process wants for itself."""

IP_RECVORIGDSTADDR: Final = 20
_SO_RCVBUFFORCE: Final = 33
_BACKLOG: Final = 4096
_UDP_BUFFER: Final = 4 * 1024 * 1024
_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")

_LINKS: Final = f"""\
link set lo up
address add {ADDRESS}/32 dev lo
route add default dev lo src {ADDRESS}
rule add fwmark 1 lookup 100
route add local default dev lo table 100
"""

_RULES: Final = f"""\
table ip tp {{
  chain output {{
    type route hook output priority mangle; policy accept;
    ip daddr {{ 127.0.0.0/8, {ADDRESS}, 224.0.0.0/4, 255.255.255.255 }} accept
    meta l4proto {{ tcp, udp }} meta mark set 1 accept
    drop
  }}
  chain prerouting {{
    type filter hook prerouting priority mangle; policy accept;
    meta mark 1 meta l4proto tcp tproxy to {LISTENER[0]}:{LISTENER[1]} accept
    meta mark 1 meta l4proto udp tproxy to {LISTENER[0]}:{LISTENER[1]} accept
  }}
}}
"""


class SetupError(Exception):
    """A step failed; ``stage`` is one of a fixed list that the client has words for."""

    def __init__(self, stage: str, text: str, number: int = 0) -> None:
        super().__init__(f"{stage}: {text}")
        self.stage = stage
        self.text = text
        self.number = number


def enter_namespaces(*, hostname: str | None) -> bool:
    """Make the namespaces and move into them; return whether a user namespace was needed.

    Real root keeps its user namespace, so that all users stay who they are. Anybody else gets one
    with only their own user in it, under their own number: programs started in it have no
    capabilities, while this process keeps them as long as it does not ``exec``.
    """
    kinds = syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS
    if hostname is not None:
        kinds |= syscalls.CLONE_NEWUTS
    as_root = os.geteuid() == 0 and syscalls.has_capability(syscalls.CAP_SYS_ADMIN)
    stage = "network-namespace" if as_root else "user-namespace"
    try:
        if not as_root:
            _unshare_user()
        syscalls.unshare(kinds)
        if hostname is not None:
            syscalls.sethostname(hostname)
    except OSError as error:
        raise SetupError(stage, error.strerror or str(error), error.errno or 0) from error
    return not as_root


def _unshare_user() -> None:
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")


def set_up() -> list[str]:
    """Bring up ``lo``, the routes and the redirection; return what had to be left out."""
    programs = [_find("ip"), _find("nft")]
    if os.geteuid() != 0:
        syscalls.hand_on_capability(syscalls.CAP_NET_ADMIN)
    _feed([programs[0], "-batch", "-"], _LINKS, stage="ip")
    _feed([programs[1], "-f", "-"], _RULES, stage="nft")
    if os.geteuid() != 0:
        syscalls.keep_capabilities_to_oneself()
    try:
        _write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")
    except OSError as error:
        return [f"ports below 1024 stay closed to ordinary users: {error.strerror}"]
    return []


def open_sockets() -> tuple[socket.socket, socket.socket, socket.socket]:
    """Open what TPROXY hands the redirected TCP and UDP to, and what answers the latter.

    The third sends whole packets, as anybody: an ordinary socket that speaks as a far end would
    have to be bound to its port, and no process could then listen on that port of all addresses.
    """
    tcp = _transparent(socket.SOCK_STREAM, LISTENER)
    tcp.listen(_BACKLOG)
    udp = _transparent(socket.SOCK_DGRAM, LISTENER)
    udp.setsockopt(socket.IPPROTO_IP, IP_RECVORIGDSTADDR, 1)
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _UDP_BUFFER)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER)
    return tcp, udp, socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _transparent(kind: int, address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _find(program: str) -> str:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for folder in (*folders, *_SBIN):
        path = os.path.join(folder or os.curdir, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise SetupError(f"{program}-missing", f"{program} is not installed")


def _feed(argv: list[str], script: str, *, stage: str) -> None:
    """Run a program with ``script`` on its standard input and fail with what it said."""
    stdin = os.memfd_create("stdin")
    said = os.memfd_create("said")
    try:
        os.write(stdin, script.encode())
        os.lseek(stdin, 0, os.SEEK_SET)
        actions = [
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_DUP2, said, 1),
            (os.POSIX_SPAWN_DUP2, said, 2),
        ]
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            words = os.pread(said, 2000, 0).decode(errors="replace").strip()
            raise SetupError(stage, words or f"{argv[0]} failed")
    except OSError as error:
        raise SetupError(stage, error.strerror or str(error), error.errno or 0) from error
    finally:
        os.close(stdin)
        os.close(said)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
