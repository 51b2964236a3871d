"""Where the rig keeps what: state per checkout, builds for all of them, and the slot of each.

Two checkouts never meet: each has a state folder named after the hash of its path, and everything
that listens lives in the network namespace of its own rig. What is left to share out is one
address pair on the machine's side of that namespace; its number is the slot.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rig.failure import RigError

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).resolve().parent
SLOTS = 250


def _xdg(variable: str, default: str) -> Path:
    given = os.environ.get(variable, "")
    return (Path(given) if given.startswith("/") else Path.home() / default) / "tp-rig"


def cache_root() -> Path:
    """The folder of all builds; the only thing that ``down`` leaves behind."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def state_root() -> Path:
    """The folder of all rigs' state folders."""
    return _xdg("XDG_STATE_HOME", ".local/state")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one checkout's rig."""

    checkout: Path
    state: Path

    @property
    def kubeconfig(self) -> Path:
        """Admin's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def audit(self) -> Path:
        """The API server's audit log, one JSON event a line."""
        return self.state / "audit.log"

    @property
    def logs(self) -> Path:
        """One file a component."""
        return self.state / "logs"

    @property
    def etc(self) -> Path:
        """The configuration files of the components."""
        return self.state / "etc"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def containerd(self) -> Path:
        """containerd's socket; unix sockets are found through any mount namespace."""
        return self.state / "containerd.sock"

    @property
    def slot(self) -> int:
        """The number that the rig's address pair and its names are made of."""
        try:
            return int((self.state / "slot").read_text())
        except (OSError, ValueError) as error:
            raise RigError("this checkout has no rig; start one: python -m tests.rig up") from error


def places(checkout: Path = CHECKOUT) -> Places:
    """The places of ``checkout``, whether its rig is up or not."""
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    return Places(checkout, state_root() / name)


def neighbours() -> list[Places]:
    """Every rig that has a state folder, this checkout's own included."""
    found = []
    for folder in sorted(state_root().glob("*")):
        owner = folder / "checkout"
        if owner.is_file():
            found.append(Places(Path(owner.read_text()), folder))
    return found


def claim(rig: Places) -> None:
    """Makes the state folder and gives it the lowest free slot; a no-op when it has one."""
    with locked("slots"):
        rig.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (rig.state / "checkout").write_text(str(rig.checkout))
        if (rig.state / "slot").is_file():
            return
        taken = set()
        for other in neighbours():
            slot = other.state / "slot"
            if slot.is_file():
                taken.add(int(slot.read_text()))
        devices = {path.name for path in Path("/sys/class/net").glob("tprig*")}
        for number in range(SLOTS):
            if number not in taken and f"tprig{number}" not in devices:
                (rig.state / "slot").write_text(str(number))
                return
    raise RigError(f"all {SLOTS} slots are taken; remove dead rigs from {state_root()}")


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time per ``name``; the kernel lets go when the process dies."""
    folder = cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
