"""What was asked of an agent, to be asked again of one that has forgotten it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tpconfig.tunnel.control import ControlClient, RequestRefusedError


@dataclass(slots=True)
class Wishes:
    """The ports that should listen, the readiness, and how long an agent waits for us.

    ``grace_s``: how long the Pod stays ready without a connection; ``keep_s``: how long the streams
    wait for the next one.
    """

    keep_s: float
    ports: dict[tuple[int, str], None] = field(default_factory=dict)
    ready: bool | None = None
    grace_s: float | None = None

    async def tell(self, control: ControlClient) -> str:
        """Ask for everything; return what the agent would not do any more.

        Raises:
            ConnectionResetError: the link ended before there were answers.
        """
        asked = [("keep", control.request("keep", seconds=self.keep_s))]
        if self.grace_s is not None:
            asked.append(("grace", control.request("grace", seconds=self.grace_s)))
        for port, protocol in self.ports:
            what = f"port {port}/{protocol}"
            asked.append((what, control.request("listen", port=port, protocol=protocol)))
        if self.ready is not None:
            asked.append(("ready", control.request("ready", value=self.ready)))
        await asyncio.wait([answer for _, answer in asked])
        problems = []
        for what, answer in asked:
            error = answer.exception()
            if isinstance(error, RequestRefusedError):
                problems.append(f"{what}: {error}")
            elif error is not None:
                raise error
        return "; ".join(problems)
