"""What lives as long as one agent remembers us: a mux over connections that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tpconfig import __version__
from tpconfig.mux import serving
from tpconfig.mux.aio import Mux, MuxStream, Role
from tpconfig.mux.greeting import greet
from tpconfig.mux.hello import ClientHello, HelloError, Standing
from tpconfig.mux.lasting import LastingPipe, Pulse
from tpconfig.mux.opening import Control, Opening, Refusal, encode
from tpconfig.tunnel.control import ControlClient, Description, GarbledAnswerError
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


@dataclass(frozen=True, slots=True)
class Greeted:
    """A pipe whose handshake is done; to be attached before anything is awaited.

    Attributes:
        pipe: the pipe.
        agent: the link that it carries, and what the agent has of it.
        early: what arrived behind the handshake.
    """

    pipe: PipeConnection
    agent: Standing
    early: bytes


async def shake_hands(connect: Connect, credentials: Credentials, standing: Standing) -> Greeted:
    """Make a pipe and agree with the agent on the link that it carries.

    Raises:
        GivenUpError: what answers is not our agent.
        OSError, EOFError, TpError: no pipe, or it ended.
    """
    pipe = await connect()
    hello = ClientHello(
        credentials.secret, credentials.session, credentials.version, standing=standing
    )
    try:
        early = await greet(pipe, hello)
    except HelloError as error:
        pipe.close()
        raise GivenUpError(str(error)) from error
    except BaseException:
        pipe.close()
        raise
    return Greeted(pipe, hello.peer, early)


class Connection:
    """A link that an agent remembers, with whatever connection carries it.

    Args:
        ident: the link's id, as the agent gave it.
        serve: is given every stream that the agent opens.
        lost: is told whenever the connection under it was lost, and why.
        ended: is told once that the link is over, and why.
        pulse: how often each end shows that it lives.

    Attributes:
        control: requests to the agent.
        description: how the Pod looks.
        mux: where streams are opened.
        pipe: what outlasts the connections.
        over: set when the link is over.
    """

    def __init__(
        self,
        ident: str,
        *,
        serve: Serve,
        lost: Callable[[str], None],
        ended: Callable[[Connection, str], None],
        pulse: Pulse,
    ) -> None:
        self._ended = ended
        self._attempt = 0
        self._reason: str | None = None
        self.ident = ident
        self.control = ControlClient(self.close)
        self.description = Description()
        self.over = asyncio.Event()
        self.pipe = LastingPipe(lost, pulse=pulse)
        self.mux = Mux(
            Role.CLIENT,
            self.pipe,
            accept=lambda stream: serving.OpeningReader(serve),
            lost=self.close,
        )
        self.pipe.serve(self.mux)
        self.mux.open(
            serving.AnswerReader(self.control, self._no_control), opening=encode(Control())
        )

    def standing(self) -> Standing:
        """Return where this end stands, for the next attempt to resume."""
        self._attempt += 1
        return Standing(self.ident, self.pipe.received, self._attempt)

    def attach(self, greeted: Greeted) -> None:
        """Go on over a pipe that carries this link.

        Raises:
            ResumeError: the agent's count does not fit.
        """
        self.pipe.attach(greeted.pipe, peer_received=greeted.agent.received, early=greeted.early)

    async def described(self) -> None:
        """Wait until the agent has said how the Pod looks.

        Raises:
            ConnectionResetError: the link is over.
            GivenUpError: the description cannot be read.
        """
        try:
            self.description = await self.control.described
        except GarbledAnswerError as error:
            raise GivenUpError(str(error)) from error

    def close(self, reason: str) -> None:
        """End the link, and reset its streams; done when this returns."""
        if self._reason is not None:
            return
        self._reason = reason
        self.pipe.reason = reason
        self.mux.close(reason)
        self.pipe.close()
        self.over.set()
        self._ended(self, reason)

    def _no_control(self, refusal: Refusal) -> None:
        self.close(f"the agent refuses to be asked: {refusal.text}")
