"""A bastion as the API client sees it: an address of this machine, for as long as the block runs.

What sshtunnel does blocks, so it runs in threads of its own; none of them is waited for when
somebody presses Ctrl-C.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from urllib.parse import urlsplit

from tpconfig.cluster.bastion import passphrase, route
from tpconfig.cluster.bastion.forwarder import Forwarder
from tpconfig.cluster.bastion.keys import Keyring
from tpconfig.cluster.bastion.refusal import BastionError, PassphraseNeededError
from tpconfig.cluster.failures import BastionDownError
from tpconfig.model.desired import Bastion

Ask = Callable[[str], str]
T = TypeVar("T")


class Tunnel:
    """The way through a bastion."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder

    async def address(self) -> tuple[str, int]:
        """Return where to connect to; a lost connection to the bastion is made anew first.

        Raises:
            BastionDownError: the bastion cannot be reached now.
        """
        if not self._forwarder.is_active:
            try:
                await _in_thread(self._forwarder.ensure)
            except BastionError as error:
                words = ": ".join((error.message, *error.details[:1]))
                raise BastionDownError(words, error.hint) from error
            except PassphraseNeededError as error:
                raise BastionDownError(
                    f"the bastion refuses the key that it took before, and {error.path} is locked",
                    "start the session anew, or add the key to your agent: ssh-add",
                ) from error
        host, port = self._forwarder.local_bind_address
        return str(host), int(port)


@asynccontextmanager
async def open_tunnel(
    bastion: Bastion, server: str, *, ask: Ask = passphrase.ask
) -> AsyncIterator[Tunnel]:
    """Open the way through a bastion to the server of a URL; it leads there when it yields.

    Raises:
        BastionError: it does not come about, and why.
        PromptInterruptedError: Ctrl-C instead of a passphrase.
    """
    parts = urlsplit(server)
    to = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    hops = await _in_thread(lambda: route.find(bastion))
    keyring = Keyring()
    forwarder = Forwarder(hops, keyring, to)
    try:
        while True:
            try:
                await _in_thread(forwarder.start)
                break
            except PassphraseNeededError as needed:
                _unlock(keyring, needed.path, ask)
    except BastionError as error:
        error.source = error.source or bastion.source
        raise
    except BaseException:
        threading.Thread(target=forwarder.abort, daemon=True).start()
        raise
    try:
        yield Tunnel(forwarder)
    finally:
        await _in_thread(forwarder.stop)


def _unlock(keyring: Keyring, path: str, ask: Ask) -> None:
    for _ in range(passphrase.TRIES):
        answer = ask(path)
        if not answer:
            break
        if keyring.unlock(path, answer):
            return
    keyring.skip(path)


async def _in_thread(function: Callable[[], T]) -> T:
    """Run what blocks in a thread that nobody waits for, unlike the loop's own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = function()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="bastion", daemon=True).start()
    return await future
