"""OpenSSH's sftp-server behind a stream: no sshd, no keys, the Pod's own rights."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

from tpconfig.agent import volumes


async def start() -> tuple[socket.socket, asyncio.subprocess.Process]:
    """Start a server; return the socket that it speaks on, and the process to wait for.

    Raises:
        OSError: this image has none.
    """
    program = volumes.sftp_server()
    if program is None:
        raise FileNotFoundError(errno.ENOENT, "the agent's image has no sftp-server")
    ours, theirs = socket.socketpair()
    try:
        ours.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            program,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath},
            cwd="/",
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours, process
