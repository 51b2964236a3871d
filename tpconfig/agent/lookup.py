"""Names to addresses with the Pod's own resolver, without ever keeping the event loop or the exit.

``getaddrinfo`` knows ``/etc/hosts``, ``nsswitch.conf`` and the search list as the original program
did. It blocks for seconds when a nameserver is silent: so it runs in a bounded number of daemon
threads (a ``ThreadPoolExecutor`` would make the process wait for them when it ends).
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any, Final

MAX_THREADS: Final = 16

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family and what ``connect`` takes for it."""


def literal(host: str, port: int) -> list[Address]:
    """Return the address that ``host`` spells out, or nothing when it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0] if ":" in host else host)
        except (OSError, ValueError):
            continue
        if "%" in host:
            return _getaddrinfo(host, port, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [(family, (host, port))]
    return []


class Lookup:
    """Resolves names, at most ``MAX_THREADS`` at a time; the others wait for their turn."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MAX_THREADS)

    async def addresses(self, host: str, port: int, *, kind: socket.SocketKind) -> list[Address]:
        """Return the addresses of ``host``, in the order in which to try them.

        Raises:
            socket.gaierror: the name has none.
        """
        found = literal(host, port)
        if found:
            return found
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Address]] = loop.create_future()
        await self._turns.acquire()
        try:
            threading.Thread(
                target=_in_thread, args=(loop, answer, self._turns, (host, port, kind)), daemon=True
            ).start()
        except RuntimeError as error:
            self._turns.release()
            raise socket.gaierror(socket.EAI_AGAIN, "no thread to resolve names in") from error
        return await answer


def _in_thread(
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[list[Address]],
    turns: asyncio.Semaphore,
    question: tuple[str, int, socket.SocketKind],
) -> None:
    try:
        result: list[Address] | OSError = _getaddrinfo(*question)
    except OSError as error:
        result = error
    except UnicodeError:
        result = socket.gaierror(socket.EAI_NONAME, "not a host name")
    try:
        loop.call_soon_threadsafe(_finish, answer, turns, result)
    except RuntimeError:
        pass  # the loop has ended, and with it whoever asked


def _finish(
    answer: asyncio.Future[list[Address]],
    turns: asyncio.Semaphore,
    result: list[Address] | OSError,
) -> None:
    turns.release()
    if answer.done():
        return
    if isinstance(result, OSError):
        answer.set_exception(result)
    else:
        answer.set_result(result)


def _getaddrinfo(host: str, port: int, kind: socket.SocketKind, *, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=kind, flags=flags)
    return [(family, address) for family, _, _, _, address in found]
