"""``tp`` on a pseudo-terminal, typed to and read as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from tests.e2e.place import Place


class Terminal:
    """A terminal of 24 lines and 80 columns with a program on it."""

    def __init__(self, place: Place, *arguments: str) -> None:
        self.text = ""
        command = place.tp_command(*arguments)
        environment = place.environment(SHELL="/bin/bash", TERM="dumb", HOME=str(place.folder))
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(place.folder)
            os.execvpe(command[0], command, environment)
        self.resize(24, 80)

    def resize(self, lines: int, columns: int) -> None:
        """Change the window's size."""
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._file, text.encode() + b"\n")

    def press(self, key: bytes) -> None:
        """Press a key: ``b"\\x03"`` is Ctrl-C, ``b"\\x1a"`` Ctrl-Z."""
        os.write(self._file, key)

    def read_until(self, pattern: str, *, timeout_s: float = 90) -> str:
        """Read until the new text matches; return that text."""
        start, deadline_s = len(self.text), time.monotonic() + timeout_s
        while not re.search(pattern, self.text[start:]):
            assert time.monotonic() < deadline_s, self.text
            if not self._read():
                break
        assert re.search(pattern, self.text[start:]), self.text
        return self.text[start:]

    def answer(self, command: str) -> str:
        """Type a command and return what it prints."""
        self.type(f"{command}; echo do''ne")
        said = self.read_until(r"(?m)^done\r?$")
        lines = [line for line in said.replace("\r", "").splitlines() if command not in line]
        return "\n".join(lines[: lines.index("done")]).strip()

    def wait(self, *, timeout_s: float = 120) -> int:
        """Read to the end and return the exit code."""
        deadline_s = time.monotonic() + timeout_s
        while self._read():
            if time.monotonic() > deadline_s:
                self.close()
                raise AssertionError(f"it does not end: {self.text}")
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Hang up, and see the end of what is left."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read(self) -> bool:
        if select.select([self._file], [], [], 0.2)[0]:
            try:
                data = os.read(self._file, 65536)
            except OSError:
                return False
            self.text += data.decode(errors="replace")
            return bool(data)
        return True
