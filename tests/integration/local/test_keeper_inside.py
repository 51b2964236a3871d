"""What a process is and sees inside: itself, its files, its ports."""

from __future__ import annotations

from pathlib import Path

import pytest
from keeper_people import Person

SERVER = """
import socket
s = socket.create_server(({host!r}, 0), family={family})
print(s.getsockname()[1])
c, _ = s.accept()
c.sendall(b"hello from inside")
c.close()
"""


def test_a_process_is_its_own_user(person: Person) -> None:
    """It runs as the developer's own uid and gid."""
    code = "import os; print(os.getuid(), os.geteuid(), os.getgid())"
    uid = person.uid
    assert person.run("code", code=code)["out"][0].split()[:2] == [str(uid), str(uid)]


def test_a_process_of_an_ordinary_user_has_no_capabilities(ordinary: Person) -> None:
    """The rights that made the namespace are not handed on."""
    code = "print([l for l in open('/proc/self/status') if l.startswith(('CapPrm', 'CapAmb'))])"
    zero = "0000000000000000"
    expected = f"['CapPrm:\\t{zero}\\n', 'CapAmb:\\t{zero}\\n']"
    assert ordinary.run("code", code=code)["out"] == [expected]


@pytest.mark.parametrize(
    ("host", "family"),
    [("127.0.0.1", "socket.AF_INET"), ("0.0.0.0", "socket.AF_INET"), ("::1", "socket.AF_INET6")],
)
def test_exposed_ports_are_reached_from_outside(person: Person, host: str, family: str) -> None:
    """A server inside on any loopback address is reached through the keeper; nobody is nobody."""
    result = person.run("inbound", listener=SERVER.format(host=host, family=family))
    assert result == {"heard": "hello from inside", "nobody": True, "tcp": []}


SERVERS = """
import os, socket, threading
hosts = ["127.0.0.1", "0.0.0.0", "127.0.0.1"]
taken = int(os.environ["TAKEN"])
servers = [socket.create_server((host, 0)) for host in hosts]
if taken:
    servers.append(socket.create_server(("127.0.0.1", taken)))
print(*[s.getsockname()[1] for s in servers[:3]])
def serve(s):
    while True:
        c, _ = s.accept()
        c.sendall(b"inside")
        c.close()
for s in servers:
    threading.Thread(target=serve, args=(s,)).start()
"""


def test_ports_are_shown_on_the_machines_own_localhost(person: Person) -> None:
    """As long as they are listened on inside; but for those that are somebody else's."""
    result = person.run("shown_ports", listener=SERVERS, taken="")
    assert result == {"heard": ["inside", "inside"], "left_out": True, "gone": True, "said": []}


def test_a_port_that_is_taken_here_is_said(person: Person) -> None:
    """Once, and by whom; the others are shown."""
    result = person.run("shown_ports", listener=SERVERS, taken="127.0.0.1")
    assert result["heard"] == ["inside", "inside"]
    assert result["said"] == ["tp itself, for another workload or a forward"]


def test_ports_below_1024_are_anybodys(person: Person) -> None:
    """An ordinary user's process may listen on port 80 inside."""
    assert person.run("low_port")["heard"] == "eighty"


def test_no_descriptor_leaks(person: Person) -> None:
    """A child has 0, 1, 2 and what it opens itself; the owner ends with what it began with."""
    result = person.run("descriptors")
    assert (result["child"], result["after"] - result["before"]) == (["['0', '1', '2', '3']"], 0)


def test_its_sessions_own_files_cover_the_machines(person: Person) -> None:
    """nsswitch.conf inside is the workload's."""
    result = person.run("code", code="print(open('/etc/nsswitch.conf').read(), end='')")
    assert result["out"] == ["passwd: files", "hosts: files dns"]


def test_the_machine_keeps_its_own_files(person: Person) -> None:
    """Nothing changes outside while a workload runs."""
    before = Path("/etc/resolv.conf").read_bytes()
    person.run("code", code="pass")
    assert Path("/etc/resolv.conf").read_bytes() == before


ETC = {
    "symlink": "mkdir /run/systemd/resolve && echo nameserver 192.0.2.1 > {stub}"
    " && ln -sfn {stub} /etc/resolv.conf",
    "dangling": "ln -sfn {stub} /etc/resolv.conf",
    "missing": "rm /etc/resolv.conf /etc/nsswitch.conf",
}
STUB = "/run/systemd/resolve/stub-resolv.conf"


@pytest.mark.parametrize("shape", ETC)
def test_resolv_conf_of_every_shape_is_covered(person: Person, shape: str) -> None:
    """A resolv.conf that is a link, a link to nothing, or not there, is the workload's inside."""
    argv = person.argv("code", code="import socket; print(socket.gethostbyname('orders'))")
    result = person.in_own_machine(ETC[shape].format(stub=STUB), argv)
    assert result["out"] == ["10.9.8.7"]


def test_the_rest_of_etc_is_there_when_a_file_was_missing(person: Person) -> None:
    """Covering a missing file leaves every other entry of /etc as it was."""
    code = (
        "import os; print(os.path.getsize('/etc/passwd') > 0, os.listdir('/etc/ssl') != [],"
        " os.path.exists('/etc/localtime') or 'no zone')"
    )
    argv = person.argv("code", code=code)
    result = person.in_own_machine(ETC["missing"], argv)
    assert result["out"][0].startswith("True True")


def test_resolvers_of_the_machine_are_hidden(person: Person) -> None:
    """nscd's and systemd-resolved's sockets, which answer past a network namespace, refuse."""
    sockets = ["/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"]
    code = (
        "import socket\n"
        f"for path in {sockets}:\n"
        " s = socket.socket(socket.AF_UNIX)\n"
        " try:\n  s.connect(path); print('reached')\n"
        " except OSError as error:\n  print(type(error).__name__)"
    )
    listeners = (
        (
            "mkdir -p /run/nscd /run/systemd/resolve && python3 -c 'import socket, os\n"
            f"for path in {sockets}:\n"
            " s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); os.chmod(path, 0o777)\n"
            " os.set_inheritable(s.fileno(), True); s.detach()\n'"
        )
        .replace("['", '["')
        .replace("']", '"]')
        .replace("', '", '", "')
    )
    argv = person.argv("code", code=code)
    result = person.in_own_machine(listeners, argv)
    assert result["out"] == ["FileNotFoundError", "ConnectionRefusedError"]


def test_covers_survive_a_change_of_network(person: Person) -> None:
    """resolv.conf replaced by renaming, as network managers do, is covered again."""
    argv = person.argv("renamed_resolv_conf")
    result = person.in_own_machine("chmod 777 /etc", argv)
    assert (result["last"] == result["first"], result["outside"]) == (
        True,
        "nameserver 192.0.2.2\n",
    )


def test_ssh_trusts_what_its_configuration_includes(ordinary: Person) -> None:
    """Root's included files seem to be nobody's inside, which ssh refuses: they are covered."""
    code = "import os; s = os.stat('/etc/ssh/ssh_config.d/x.conf'); print(s.st_uid, s.st_size)"
    argv = ordinary.argv("code", code=code)
    prepare = "mkdir -p /etc/ssh/ssh_config.d && echo 'Host x' > /etc/ssh/ssh_config.d/x.conf"
    assert ordinary.in_own_machine(prepare, argv)["out"] == [f"{ordinary.uid} 7"]


def test_a_hostname_is_the_workloads_alone(person: Person) -> None:
    """A process that is known by the Pod's name finds it; the machine keeps its own."""
    assert person.run("hostname") == {"inside": ["db-0"], "unchanged": True}


def test_the_method_works_here(person: Person) -> None:
    """Trying the namespace method finds nothing in its way on this machine."""
    assert person.run("problem") == {"problem": None}


def test_a_machine_without_user_namespaces_is_diagnosed(ordinary: Person) -> None:
    """Where user namespaces are switched off, the reason and the command are found by trying."""
    argv = ordinary.argv("problem")
    reason, cure = ordinary.without_user_namespaces(argv)["problem"]
    assert reason == "this machine allows no user namespaces"
    assert cure == "sudo sysctl -w user.max_user_namespaces=15000"
