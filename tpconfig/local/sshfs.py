"""The Pod's files, live: sshfs on a socket whose other end is the Pod's sftp-server.

Nothing here may touch the mounted folder: its answers come through this very event loop, which
would wait for itself. What is known of it is known from the kernel's table of mounts.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from tpconfig.errors import TpError
from tpconfig.local import mounting
from tpconfig.local.diagnosis import Diagnosis

MOUNT_S: Final = 20.0
END_S: Final = 5.0
_POLL_S: Final = 0.01

FUSE: Final = "/dev/fuse"

_OPTIONS: Final = ("passive", "dcache_timeout=1", "attr_timeout=1", "entry_timeout=1")
"""A second: what a sidecar writes is seen soon, and a thousand small files are still quick."""


def problem() -> Diagnosis | None:
    """Return why nothing can be mounted on this machine, with the cure, or None."""
    if shutil.which("sshfs") is None:
        return Diagnosis("sshfs is not installed", "sudo apt-get install sshfs")
    if not os.path.exists(FUSE):
        return Diagnosis(f"there is no {FUSE}", "sudo modprobe fuse")
    if not os.access(FUSE, os.R_OK | os.W_OK):
        return Diagnosis(f"{FUSE} cannot be opened", f"sudo chmod 0666 {FUSE}")
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        return Diagnosis("fusermount3 is not installed", "sudo apt-get install fuse3")
    return None


@asynccontextmanager
async def open_sshfs(
    sock: socket.socket, path: str, point: Path, *, read_only: bool
) -> AsyncIterator[None]:
    """Mount ``path`` of the Pod at ``point`` while the block runs.

    ``sock`` is closed. Where its other end goes, so does the mount; the folder below it may not be
    entered, so that an absent mount is an error and never an empty folder.

    Raises:
        TpError: it cannot be mounted, with what sshfs says.
    """
    point.mkdir(mode=0o700, parents=True, exist_ok=True)
    below = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fchmod(below, 0o700)
        with tempfile.TemporaryFile() as said:
            program = _start(sock, path, point, read_only=read_only, said=said)
            sock.close()
            try:
                await _until_mounted(program, path, point, said)
                os.fchmod(below, 0)
                yield
            finally:
                await asyncio.to_thread(_end, program, point)
                os.fchmod(below, 0o700)
    finally:
        os.close(below)


def _start(
    sock: socket.socket, path: str, point: Path, *, read_only: bool, said: IO[bytes]
) -> subprocess.Popen[bytes]:
    options = ",".join((*_OPTIONS, "ro" if read_only else "rw"))
    return subprocess.Popen(
        ["sshfs", "-f", "-o", options, f":{path}", str(point)],
        stdin=sock.fileno(),
        stdout=sock.fileno(),
        stderr=said,  # a pipe here would keep whoever reads it waiting
        start_new_session=True,
        cwd="/",
    )


async def _until_mounted(
    program: subprocess.Popen[bytes], path: str, point: Path, said: IO[bytes]
) -> None:
    try:
        async with asyncio.timeout(MOUNT_S):
            while not mounting.mounts_below(point):
                if program.poll() is not None:
                    words = os.pread(said.fileno(), 2000, 0).decode(errors="replace").strip()
                    raise TpError(f"{path} of the Pod cannot be mounted: {words or 'sshfs ended'}")
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise TpError(
            f"{path} of the Pod was not mounted in {MOUNT_S:.0f} s", hint="volumes: copy"
        ) from None


def _end(program: subprocess.Popen[bytes], point: Path) -> None:
    mounting.unmount_all(point)
    program.terminate()
    try:
        program.wait(END_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    mounting.unmount_all(point)
