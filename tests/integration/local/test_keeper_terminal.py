"""A shell on the user's own terminal: a real pty, driven key by key."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keeper_people import Person

SHELL = ["bash", "--norc", "--noprofile", "--noediting", "-i"]

IN_FRONT = (
    "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    'signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"resu" + b"med\\n"));'
    'os.write(1, b"u" + b"p\\n"); exec("while True: time.sleep(9)")'
)
"""Speaks itself, so that it is in front for sure: bash alone may lose a key that comes earlier."""


class Terminal:
    """A person's terminal with a scenario running on it."""

    def __init__(self, person: Person, argv: list[str]) -> None:
        self._fifo = person.workshop.folder / f"terminal-{time.monotonic_ns()}"
        os.mkfifo(self._fifo)
        self._fifo.chmod(0o666)
        self.python = person.python
        self.seen = ""
        self.all = ""
        command = person.argv("shell", argv=argv, fifo=str(self._fifo))
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            person.become(command)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size, as a terminal emulator does."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def expect(self, text: str) -> str:
        """Wait until ``text`` is on the screen and return what came with it."""
        deadline = time.monotonic() + 60
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come: {self.all!r}"
            if select.select([self._master], [], [], left)[0]:
                came = os.read(self._master, 65536).decode(errors="replace")
                self.seen += came
                self.all += came
        before, _, self.seen = self.seen.partition(text)
        return before

    def result(self) -> dict[str, Any]:
        """Wait for the scenario's end and return what it found."""
        with self._fifo.open() as fifo:
            found: dict[str, Any] = json.load(fifo)
        return found

    def close(self) -> None:
        """End what is left."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._master)


@pytest.fixture
def terminal(person: Person) -> Iterator[Terminal]:
    """A terminal with an interactive shell inside."""
    terminal = Terminal(person, SHELL)
    terminal.expect("$ ")
    yield terminal
    terminal.close()


def test_the_terminal_comes_back(terminal: Terminal) -> None:
    """After the shell's end its code is known and the terminal is tp's again, modes and all."""
    terminal.type("stty -echo raw; exit 5\n")
    assert terminal.result() == {"code": 5, "ours": True, "modes": True, "keeper": True}


def test_the_windows_size_is_the_terminals(terminal: Terminal) -> None:
    """A change of the window's size reaches what runs inside."""
    terminal.resize(33, 99)
    terminal.type("stty size\n")
    terminal.expect("33 99")


def test_ctrl_c_goes_to_the_child_alone(terminal: Terminal) -> None:
    """Ctrl-C ends the command in front; shell, keeper and tp live on."""
    terminal.type(f"{terminal.python} -Ic '{IN_FRONT}'\n")
    terminal.expect("up\r\n")
    terminal.type("\x03")
    terminal.expect("$ ")
    terminal.type("echo code=$?\n")
    terminal.expect("code=130")
    terminal.type("exit 0\n")
    assert terminal.result()["code"] == 0


def test_job_control_is_the_shells(terminal: Terminal) -> None:
    """Ctrl-Z stops a job, fg brings it back, Ctrl-C ends it."""
    terminal.type(f"{terminal.python} -Ic '{IN_FRONT}'\n")
    terminal.expect("up\r\n")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    terminal.expect("$ ")
    terminal.type("fg\n")
    terminal.expect("resumed\r\n")
    terminal.type("\x03")
    terminal.expect("$ ")
    terminal.type("echo code=$?\n")
    terminal.expect("code=130")


def test_a_program_that_stops_itself_goes_on(person: Person) -> None:
    """A program that is no shell and is stopped is continued: nobody could say fg to it."""
    terminal = Terminal(person, ["sh", "-c", "kill -STOP $$; echo went on; exit 3"])
    terminal.expect("went on")
    assert terminal.result()["code"] == 3
    terminal.close()


def test_hanging_up_ends_everything(terminal: Terminal) -> None:
    """When the terminal goes, so does the shell inside."""
    terminal.type("echo pid=$$.\n")
    terminal.expect("pid=")
    terminal.expect("pid=")
    pid = int(terminal.expect("."))
    os.kill(terminal.pid, signal.SIGHUP)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
