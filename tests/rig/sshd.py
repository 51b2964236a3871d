"""A real OpenSSH server on this machine's loopback, with keys of its own: a bastion to test with.

It runs as an ordinary user and lets only that user in; nothing of this machine's own ssh is read.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

NOBODY = 65534
STARTED_S = 20.0


def program() -> str | None:
    """Return where sshd is, if this machine has one."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair; ``path`` is the private one."""
    words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(words, check=True)
    return path


def public(key: Path) -> str:
    """Return the public half as one line."""
    return Path(f"{key}.pub").read_text().strip()


class Sshd:
    """One server; a context manager."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        self.host_key = make_key(folder / "host_key")
        self.authorized = folder / "authorized_keys"
        self.authorized.write_text("")
        self._own()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized}",
            f"PidFile {folder}/pid",
            "StrictModes no",
            "UsePAM yes",  # without it an account without a password counts as locked
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "LogLevel VERBOSE",
            "MaxStartups 100",
        ]
        (folder / "config").write_text("\n".join([*settings, *lines]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str:
        """Who may log in."""
        return pwd.getpwuid(NOBODY if os.geteuid() == 0 else os.geteuid()).pw_name

    @property
    def known(self) -> str:
        """The line of known_hosts that is right."""
        return f"[127.0.0.1]:{self.port} {public(self.host_key)}\n"

    @property
    def log(self) -> str:
        """What the server has said."""
        return (self.folder / "log").read_text()

    def authorize(self, key: Path) -> None:
        """Let a key in."""
        with self.authorized.open("a") as file:
            file.write(public(key) + "\n")

    def __enter__(self) -> Sshd:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; returns when it does."""
        found = program()
        assert found is not None
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        words = [*(become if os.geteuid() == 0 else ()), found, "-D", "-e"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*words, "-f", str(self.folder / "config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        ends_s = time.monotonic() + STARTED_S
        while not self._listens():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < ends_s, self.log
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server and every connection."""
        if self._process is not None:
            connections = self.connections()
            self._process.kill()
            self._process.wait()
            self._process = None
            _signal(connections, signal.SIGKILL)

    def drop(self) -> None:
        """Break every connection; new ones are taken."""
        _signal(self.connections(), signal.SIGKILL)

    def silence(self) -> None:
        """Have every connection say nothing more, without an end."""
        _signal(self.connections(), signal.SIGSTOP)

    def connections(self) -> list[int]:
        """Return the processes that serve connections."""
        assert self._process is not None
        parents = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    words = (folder / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue  # it has ended meanwhile
                parents[int(folder.name)] = int(words[1])
        found, left = [], [self._process.pid]
        while left:
            above = left.pop()
            below = [pid for pid, parent in parents.items() if parent == above]
            found += below
            left += below
        return found

    def _own(self) -> None:
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
