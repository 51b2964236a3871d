"""How other ``tp`` commands talk to a running session: one JSON line each way, on a Unix socket.

Only the same user may: the socket is ``0600`` in a folder of ``0700``, and the kernel tells who
is at the other end.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tpconfig.errors import TpError
from tpconfig.session import errors_json

PROTOCOL = 1
LINE_LIMIT = 16 * 1024 * 1024
CONNECT_TIMEOUT_S = 2.0

Message = Mapping[str, Any]
Answer = Callable[[Message], Awaitable[Message]]


@asynccontextmanager
async def serve(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Answer on ``path`` while the block runs; a dead session's socket is replaced."""

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _peer_uid(writer) == os.getuid():
                reply = await _reply(await reader.readline(), answer)
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(conversation, path, limit=LINE_LIMIT)
    finally:
        os.umask(before)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask(path: Path, request: Message) -> Message | None:
    """Ask a session, however long its answer takes; ``None`` where none lives at ``path``.

    Raises:
        TpError: it answered with an error, which is like its own.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_LIMIT)
    except (OSError, TimeoutError):
        return None
    try:
        writer.write(json.dumps({"protocol": PROTOCOL, **request}).encode() + b"\n")
        line = await reader.readline()
    except ConnectionError:
        return None
    finally:
        writer.close()
    if not line:
        return None
    reply: Message = json.loads(line)
    if "error" in reply:
        raise errors_json.from_json(reply)
    return reply


async def _reply(line: bytes, answer: Answer) -> Message:
    try:
        request = json.loads(line)
        if request.get("protocol") != PROTOCOL:
            text = "this session was started by another version of tp"
            return {"error": text, "hint": "end it with the tp that started it", "code": 1}
        return await answer(request)
    except TpError as error:
        return errors_json.to_json(error)
    except (ValueError, AttributeError, KeyError) as error:
        return {"error": f"not a request: {error}", "code": 2}


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", packed)[1])
