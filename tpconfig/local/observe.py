"""Facts about this machine that a plan needs before anything is touched."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from tpconfig.errors import UsageError
from tpconfig.local.diagnosis import Diagnosis
from tpconfig.local.keeper import MethodError, open_keeper
from tpconfig.local.sockets import listening
from tpconfig.local.world import NameFiles, World
from tpconfig.model.target import PodPort

_PROBE: Final = World("nameserver 198.18.0.53\n", "127.0.0.1 localhost\n", "hosts: files dns\n")
"""Any world: only whether it can be made is of interest."""


async def namespace_problem(state_dir: Path) -> Diagnosis | None:
    """Try the namespace method for real; return why it does not work here and the cure.

    Costs about as much as starting one workload's keeper, some 50 ms.
    """
    if sys.platform != "linux":
        return Diagnosis(
            "the namespace method needs Linux", "use `method: none`, or run tp in Linux"
        )
    try:
        async with open_keeper(_PROBE, state_dir=state_dir):
            return None
    except MethodError as error:
        return error.diagnosis


def name_files() -> NameFiles:
    """Return what this machine's own programs learn names from, as far as processes inside do."""
    try:
        nsswitch = Path("/etc/nsswitch.conf").read_text()
    except OSError:
        nsswitch = ""
    return NameFiles(hostname=os.uname().nodename, nsswitch=nsswitch)


def ports_in_use(ports: Collection[PodPort], *, proc: Path = Path("/proc")) -> dict[PodPort, str]:
    """Return which of ``ports`` are taken on this machine, and by whom, for people.

    A process of another user cannot be seen without being root; its port can.
    """
    taken = listening(proc, wanted={(port.protocol, port.number) for port in ports})
    return {
        port: str(taken[port.protocol, port.number])
        for port in ports
        if (port.protocol, port.number) in taken
    }


def find_command(name: str, environment: Mapping[str, str], cwd: str) -> str | None:
    """Return the program that ``name`` means to a process with this environment and folder."""
    if os.sep in name:
        path = os.path.join(cwd, name)
        return path if os.path.isfile(path) and os.access(path, os.X_OK) else None
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    absolute = os.pathsep.join(os.path.join(cwd, folder) for folder in folders)
    return shutil.which(name, path=absolute)


def check_folder(cwd: str) -> None:
    """Complain about a folder that no process can be started in.

    Raises:
        UsageError: with what is wrong with it.
    """
    if not os.path.isdir(cwd):
        raise UsageError(f"there is no folder {cwd}")
    if not os.access(cwd, os.X_OK):
        raise UsageError(f"the folder {cwd} may not be entered")
