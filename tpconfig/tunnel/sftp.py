"""An SFTP conversation with the Pod, on a socket of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tpconfig.errors import TpError
from tpconfig.mux import serving
from tpconfig.mux.opening import Refusal, Sftp
from tpconfig.mux.splice import Splice
from tpconfig.tunnel.link import Link


@asynccontextmanager
async def open_sftp(link: Link) -> AsyncIterator[tuple[socket.socket, asyncio.Event]]:
    """Yield a socket at whose other end the Pod's sftp-server is, and what is set at its end.

    The socket is the caller's to hand on and close.

    Raises:
        TpError: the link is lost.
    """
    ours, theirs = socket.socketpair()
    over = asyncio.Event()
    splice = Splice()
    splice.on_done = over.set

    def refused(refusal: Refusal) -> None:
        over.set()

    try:
        ours.setblocking(False)
        try:
            link.open(serving.AnswerReader(splice.a, refused), Sftp())
        except ConnectionResetError as error:
            ours.close()
            raise TpError(f"the Pod's files cannot be mounted: {error}") from error
        await serving.join(ours, splice.b)
        yield theirs, over
    finally:
        theirs.close()
        splice.abort()
