"""A shell in a workload's world, on the user's own terminal; its prompt tells where one is."""

from __future__ import annotations

import os

from tpconfig.local.foreground import run_in_foreground
from tpconfig.local.process import ProcessSpec
from tpconfig.local.shell import interactive
from tpconfig.session.lifecycle import Session


async def run(session: Session) -> int:
    """Run the user's shell for the first workload; return its exit code."""
    name = session.desired.workloads[0].name
    one = session.machine.hosted[name]
    assert one.keeper is not None
    env = one.process_environment()
    shell = interactive(env, session.machine.here.state.folder)
    spec = ProcessSpec(name, shell.argv, {**env, **shell.env}, os.getcwd())
    return await run_in_foreground(one.keeper, spec)
