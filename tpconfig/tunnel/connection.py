"""One pipe to the agent, from its handshake to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tpconfig import __version__
from tpconfig.mux import serving
from tpconfig.mux.aio import Mux, MuxStream, Role
from tpconfig.mux.hello import ClientHello, HelloError
from tpconfig.mux.opening import Control, Opening, Refusal, encode
from tpconfig.tunnel.control import ControlClient, Description
from tpconfig.tunnel.pipe import Connect, PipeConnection

Serve = Callable[[Opening, MuxStream], asyncio.Protocol]
"""Returns the protocol of a stream that the agent opened, or raises ``StreamRefusedError``."""


def refuse_all(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
    """Serve nothing.

    Raises:
        StreamRefusedError: always.
    """
    raise serving.StreamRefusedError(Refusal("denied", "nothing arrives here"))


class GivenUpError(Exception):
    """What answers is not our agent; another attempt would end the same way."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What both ends must agree on."""

    secret: bytes = field(repr=False)
    session: str
    version: str = __version__


class Connection:
    """A pipe whose handshake is done.

    Attributes:
        control: requests to the agent.
        description: how the Pod looks.
        mux: where streams are opened.
        over: set when the connection has ended.
    """

    def __init__(self, pipe: PipeConnection, lost: Callable[[Connection, str], None]) -> None:
        self._pipe = pipe
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._early = bytearray()
        self._news = asyncio.Event()
        self._full = False
        self._heard_s = self._loop.time()
        self._mux: Mux | None = None
        self.control = ControlClient(self.close)
        self.description = Description()
        self.over = asyncio.Event()
        self._reason: str | None = None

    @property
    def mux(self) -> Mux:
        """Where streams are opened."""
        assert self._mux is not None
        return self._mux

    @property
    def silent_s(self) -> float:
        """Seconds since the last byte arrived."""
        return self._loop.time() - self._heard_s

    def close(self, reason: str) -> None:
        """End the connection; done when this returns."""
        if self._reason is not None:
            return
        self._reason = reason
        if self._mux is not None:
            self._mux.close(reason)
        self._pipe.close()
        self._news.set()
        self.over.set()
        self._lost(self, reason)

    async def set_up(self, credentials: Credentials, serve: Serve) -> None:
        """Shake hands, start the mux and learn how the Pod looks.

        Raises:
            GivenUpError: what answers is not our agent.
            EOFError, ConnectionResetError: the pipe ended.
        """
        self._pipe.start(self._received, self._pipe_lost, pause=self._pause, resume=self._resume)
        leftover = await self._shake_hands(credentials)
        mux = Mux(
            Role.CLIENT,
            self._pipe,
            accept=lambda stream: serving.OpeningReader(serve),
            lost=self.close,
        )
        self._mux = mux
        if self._full:
            mux.pause_writing()
        mux.open(serving.AnswerReader(self.control, self._no_control), opening=encode(Control()))
        early = leftover + bytes(self._early)
        self._early.clear()
        if early:
            mux.data_received(early)
        self.description = await self.control.described

    async def _shake_hands(self, credentials: Credentials) -> bytes:
        hello = ClientHello(credentials.secret, credentials.session, credentials.version)
        while not hello.done:
            await self._news.wait()
            if not self._early:
                raise EOFError(self._reason)
            self._news.clear()
            data = bytes(self._early)
            self._early.clear()
            try:
                hello.receive_data(data)
            except HelloError as error:
                raise GivenUpError(str(error)) from error
            finally:
                if said := hello.data_to_send():
                    self._pipe.write(said)
        return hello.leftover

    def _received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        if self._mux is not None:
            self._mux.data_received(data)
        else:
            self._early += data
            self._news.set()

    def _pipe_lost(self, reason: str) -> None:
        if self._mux is not None:
            self._mux.pipe_lost(reason)
        self.close(reason)

    def _pause(self) -> None:
        self._full = True
        if self._mux is not None:
            self._mux.pause_writing()

    def _resume(self) -> None:
        self._full = False
        if self._mux is not None:
            self._mux.resume_writing()

    def _no_control(self, refusal: Refusal) -> None:
        self.close(f"the agent refuses to be asked: {refusal.text}")


async def establish(
    connect: Connect,
    credentials: Credentials,
    *,
    serve: Serve,
    lost: Callable[[Connection, str], None],
) -> Connection:
    """Return a connection that is ready for streams and requests.

    Args:
        connect: gives the pipe.
        credentials: what the agent must agree on.
        serve: is given every stream that the agent opens.
        lost: is told once when the connection has ended, with the reason.

    Raises:
        GivenUpError: what answers is not our agent.
        OSError, EOFError, TpError: no pipe, or it ended.
    """
    connection = Connection(await connect(), lost)
    try:
        await connection.set_up(credentials, serve)
    except BaseException:
        connection.close("the connection could not be set up")
        raise
    return connection
