"""Who listens, from the kernel's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpconfig.local import observe
from tpconfig.local.sockets import loopback_ports
from tpconfig.model.target import PodPort

HEAD = "  sl  local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode\n"
LINE = " 0: {address}:{port:04X} 00000000:0000 {state} 0:0 00:0 0 0 0 {inode} 1\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A process file system with three sockets, one of them of an invisible owner."""
    (tmp_path / "net").mkdir()
    tables = {
        "tcp": [("0100007F", 3000, "0A", 11), ("0100007F", 4000, "01", 12)],
        "tcp6": [("0" * 32, 8080, "0A", 13)],
        "udp": [("00000000", 53, "07", 14)],
    }
    for table, sockets in tables.items():
        lines = [LINE.format(address=a, port=p, state=s, inode=i) for a, p, s, i in sockets]
        (tmp_path / "net" / table).write_text(HEAD + "".join(lines))
    for pid, inode, command in ((7, 11, b"node\0server.js\0"), (8, 13, b"x" * 200)):
        descriptors = tmp_path / str(pid) / "fd"
        descriptors.mkdir(parents=True)
        (descriptors / "0").symlink_to("/dev/null")
        (descriptors / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / str(pid) / "cmdline").write_bytes(command)
    return tmp_path


def in_use(proc: Path, number: int, protocol: str = "tcp") -> str | None:
    """Who has one port."""
    port = PodPort(number, protocol)
    return observe.ports_in_use([port], proc=proc).get(port)


def test_a_listener_is_named_with_its_command(proc: Path) -> None:
    """Command and pid, as a person would look for it."""
    assert in_use(proc, 3000) == "node server.js (pid 7)"


def test_ipv6_listeners_count(proc: Path) -> None:
    """A port that is open on [::] is taken; a long command is cut."""
    assert in_use(proc, 8080) == "x" * 59 + "… (pid 8)"


def test_other_users_are_others(proc: Path) -> None:
    """The port of a process that may not be seen is still taken."""
    assert in_use(proc, 53, "udp") == "a process of another user"


@pytest.mark.parametrize(("number", "protocol"), [(4000, "tcp"), (53, "tcp"), (9999, "tcp")])
def test_connections_do_not_take_a_port(proc: Path, number: int, protocol: str) -> None:
    """Only listening counts, each protocol for itself."""
    assert in_use(proc, number, protocol) is None


def test_without_a_proc_nothing_is_known(tmp_path: Path) -> None:
    """On a machine without these tables no port is said to be taken."""
    assert in_use(tmp_path, 3000) is None


def test_commands_are_looked_for_in_the_workloads_path(tmp_path: Path) -> None:
    """PATH of the workload counts, relative folders from its own folder."""
    program = tmp_path / "bin" / "serve"
    program.parent.mkdir()
    program.touch(0o755)
    assert observe.find_command("serve", {"PATH": "bin"}, str(tmp_path)) == str(program)
    assert observe.find_command("serve", {"PATH": "/usr/bin"}, str(tmp_path)) is None


def test_commands_with_a_path_are_looked_for_from_the_folder(tmp_path: Path) -> None:
    """./serve is relative to the workload's folder and must be a program."""
    (tmp_path / "serve").touch(0o644)
    assert observe.find_command("./serve", {}, str(tmp_path)) is None
    (tmp_path / "serve").chmod(0o755)
    assert observe.find_command("./serve", {}, str(tmp_path)) is not None


def test_loopback_ports_are_those_that_localhost_reaches(tmp_path: Path) -> None:
    """Listeners on loopback or on all addresses, of both families; no other and no connection."""
    (tmp_path / "net").mkdir()
    tables = {
        "tcp": [
            ("0100007F", 1, "0A"),
            ("00000000", 2, "0A"),
            ("7F7F7F7F", 3, "0A"),
            ("0100007F", 4, "01"),
        ],
        "tcp6": [
            ("0" * 32, 5, "0A"),
            ("00000000000000000000000001000000", 6, "0A"),
            ("0000000000000000FFFF00000100007F", 7, "0A"),
            ("000080FE00000000FF005450B6AD1DFE", 8, "0A"),
        ],
    }
    for table, sockets in tables.items():
        lines = [LINE.format(address=a, port=p, state=s, inode=1) for a, p, s in sockets]
        (tmp_path / "net" / table).write_text(HEAD + "".join(lines))
    assert loopback_ports(tmp_path, None) == {1, 2, 5, 6, 7}
    assert loopback_ports(tmp_path / "gone", None) == set()
