"""Agents for the tests of the tunnel: on both event loops, and gone when the test ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from real_agent import Agent, StartAgent, read_errors, read_log, spawn


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_of_agent(request: pytest.FixtureRequest) -> str:
    """Which event loop the agent runs on: what a plain image has, and what ours has."""
    return str(request.param)


@pytest.fixture
async def start_agent(loop_of_agent: str, tmp_path: Path) -> AsyncIterator[StartAgent]:
    """Start agents; they end with the test, without a word on stderr."""
    running: list[Agent] = []
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())

        async def start(
            *, env: dict[str, str] | None = None, wait: bool = True, **settings: Any
        ) -> Agent:
            agent = await spawn(tmp_path, loop_of_agent, env or {}, settings)
            running.append(agent)
            tasks.create_task(read_log(agent))
            tasks.create_task(read_errors(agent))
            if wait:
                await agent.event("started")
            return agent

        yield start
        for agent in running:
            await agent.stop()
    for agent in running:
        assert agent.errors.decode() == ""


@pytest.fixture
async def agent(start_agent: StartAgent) -> Agent:
    """A running agent."""
    return await start_agent()
