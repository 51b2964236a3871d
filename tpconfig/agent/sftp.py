"""OpenSSH's sftp-server behind a stream: no sshd, no keys, the Pod's own rights."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

from tpconfig.agent import volumes
from tpconfig.mux import serving
from tpconfig.mux import splice as splices
from tpconfig.mux.aio import MuxStream
from tpconfig.mux.splice import Splice


async def serve(stream: MuxStream, splice: Splice) -> None:
    """Join a stream, whose end of the splice it has, to a server of its own; wait for its end.

    Raises:
        OSError: this image has none.
    """
    try:
        sock, server = await start()
        stream.write(serving.OK)
        if not await serving.join(sock, splice.b):
            splices.reset(stream)
        await server.wait()
    finally:
        if splice.on_done is not None:
            splice.on_done()


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
