"""How processes start and end, and that nothing of them stays behind."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from keeper_people import Person

DAEMON = """
import os, sys, time
if os.fork():
    os.wait()
    sys.exit()
os.setsid()
if os.fork():
    os._exit(0)
for number in (1, 2):
    os.dup2(number, number + 10)
print(os.getpid(), flush=True)
null = os.open("/dev/null", os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(null, number)
os.closerange(3, 100)
{deaf}
time.sleep(1000)
"""


def gone(pid: int) -> bool:
    """Wait until a process is gone, for at most half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    "deaf", ["", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"]
)
def test_killing_the_owner_ends_even_daemons(person: Person, tmp_path: Path, deaf: str) -> None:
    """After SIGKILL of tp a double-forked daemon is ended, and the keeper too."""
    fifo = person.workshop.folder / f"fifo-{person.name}-{bool(deaf)}"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    running = person.start(person.argv("owner", daemon=DAEMON.format(deaf=deaf), fifo=str(fifo)))
    told = json.loads(fifo.read_text())
    alive = Path(f"/proc/{told['pid']}").exists()
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert (alive, gone(told["pid"]), gone(told["keeper"])) == (True, True, True)


def test_killing_the_keeper_ends_its_children(person: Person) -> None:
    """Without its keeper a process is killed, and tp hears of both."""
    result = person.run("lost_keeper")
    assert (result["code"], result["told"]) == (
        -signal.SIGKILL,
        "the keeper of the processes ended unexpectedly",
    )
    assert gone(result["pid"])


def test_exit_codes_and_signals_are_reported(person: Person) -> None:
    """An exit code is itself, a signal its negative."""
    assert person.run("endings")["codes"] == [3, -signal.SIGKILL, -signal.SIGTERM]


def test_stop_asks_first(ordinary: Person) -> None:
    """A process that answers SIGTERM ends with its own code."""
    script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"
    assert ordinary.run("stopping", script=script, timeout_s=30) == {"code": 7, "left": False}


def test_stop_kills_what_does_not_listen(ordinary: Person) -> None:
    """A process that ignores SIGTERM is killed at the timeout."""
    script = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    result = ordinary.run("stopping", script=script, timeout_s=0.2)
    assert result == {"code": -signal.SIGKILL, "left": False}


def test_stop_leaves_nobody_of_the_group(ordinary: Person) -> None:
    """A child that outlives its parent's end is stopped with it, so that its port is free."""
    script = "(trap '' TERM; while :; do sleep 0.1; done) & trap 'exit 0' TERM; echo up; wait"
    result = ordinary.run("stopping", script=script, timeout_s=0.5)
    assert result == {"code": 0, "left": False}


def test_stop_wakes_a_stopped_process(ordinary: Person) -> None:
    """A process that sleeps in SIGSTOP gets to hear SIGTERM."""
    script = "trap 'exit 5' TERM; echo up; kill -STOP $$; while :; do sleep 0.1; done"
    assert ordinary.run("stopping", script=script, timeout_s=30) == {"code": 5, "left": False}


def test_what_cannot_start_is_said(ordinary: Person) -> None:
    """Missing command, no program, missing folder: each has its sentence."""
    assert ordinary.run("refusals")["told"] == [
        "no-such-command: command not found",
        "cannot start /etc/passwd: Permission denied",
        "cannot start in /nowhere: No such file or directory",
    ]


def test_large_environment_and_odd_bytes_arrive(ordinary: Person) -> None:
    """A megabyte of environment and a value that is no text arrive byte by byte."""
    result = ordinary.run("big_environment")
    assert int(result["out"][0]) > 1_000_000
    assert result["out"][1].split() == ["ff", "0a"]


def test_flood_of_output_arrives_bounded(ordinary: Person) -> None:
    """Megabytes of lines all arrive; a line without an end comes in bounded pieces."""
    result = ordinary.run("flood")
    assert (result["count"], result["longest"], result["last"]) == (1_000_005, 65536, "last")


ENTERED = (
    "import os, socket, sys; s = socket.create_connection(('127.0.0.1', 8080));"
    "print(s.recv(99).decode(), sys.stdin.read()); sys.exit(7)"
)


@pytest.mark.parametrize("isolated", [True, False])
def test_entering_is_being_inside(person: Person, isolated: bool) -> None:
    """A command that enters reaches a server inside; its streams and exit code are its own."""
    argv = person.inner_python(ENTERED)
    result = person.run("entered", argv=argv, stdin="and its input", isolated=isolated)
    assert result == {"code": 7, "out": "inside and its input\n", "err": ""}


def test_entering_keeps_the_user_and_gives_no_rights(ordinary: Person) -> None:
    """What enters is the same user, without capabilities, and sees the covered files."""
    code = (
        "import os; print(os.getuid(), open('/etc/nsswitch.conf').readline().strip(),"
        " *[l.split()[1] for l in open('/proc/self/status') if l.startswith('CapPrm')])"
    )
    result = ordinary.run("entered", argv=ordinary.inner_python(code), stdin="", isolated=True)
    assert result["out"] == f"{ordinary.uid} passwd: files 0000000000000000\n"


@pytest.mark.parametrize(
    ("argv", "code"), [(["no-such-command"], 127), (["/etc/passwd"], 126), (["false"], 1)]
)
def test_entering_exit_codes(person: Person, argv: list[str], code: int) -> None:
    """A command that is not there or no program has the code that shells give it."""
    assert person.run("entered", argv=argv, stdin="", isolated=True)["code"] == code


def test_entering_dies_of_its_signal(person: Person) -> None:
    """The caller sees the signal that ended the command, as if it had been its own child."""
    result = person.run("entered", argv=["sh", "-c", "kill -9 $$"], stdin="", isolated=True)
    assert result["code"] == -signal.SIGKILL


def test_entering_keeps_what_the_caller_ignores(ordinary: Person) -> None:
    """A signal that the caller ignores stays ignored (nohup); Python's own habits do not."""
    result = ordinary.run(
        "entered",
        argv=["sh", "-c", "grep SigIgn /proc/self/status"],
        stdin="",
        isolated=True,
        ignored=True,
    )
    ignored = int(result["out"].split()[1], 16)
    assert ignored == 1 << (signal.SIGHUP - 1)
