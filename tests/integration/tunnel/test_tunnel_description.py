"""What the client does with an agent that says too little."""

from __future__ import annotations

import pytest
import real_agent
from real_agent import StartAgent

from tpconfig.tunnel.link import LinkError, Timing

WITHOUT_HOSTS = (
    "from tpconfig.agent import describe; whole = describe.describe; describe.describe = "
    "lambda s: {key: value for key, value in whole(s).items() if key != 'hosts'}; "
    "from tpconfig.agent.main import main"
)


async def test_a_description_without_a_key_fails_the_link_with_what_is_missing(
    start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said at once, not after attempts for as long as a first link may take."""
    bootstrap = real_agent.BOOTSTRAP.replace("from tpconfig.agent.main import main", WITHOUT_HOSTS)
    monkeypatch.setattr(real_agent, "BOOTSTRAP", bootstrap)
    agent = await start_agent()
    with pytest.raises(LinkError, match=r"description cannot be read: KeyError\('hosts'\)"):
        async with agent.link(timing=Timing(first_s=600)):
            pass
    await agent.event("link-up")
    assert [line["event"] for line in agent.lines].count("link-up") == 1
