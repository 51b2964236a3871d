"""What a running session answers to other ``tp`` commands."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tpconfig.errors import TpError, UsageError
from tpconfig.session import control, describe, facts_json, planfile
from tpconfig.session.holding import End, Holding, Why
from tpconfig.session.hosted import Hosted
from tpconfig.session.lifecycle import Session
from tpconfig.session.reloading import Reloading
from tpconfig.session.wish import Reload


@dataclass(slots=True)
class Answers:
    """Answers requests of the control socket."""

    session: Session
    holding: Holding
    reloading: Reloading

    async def answer(self, request: control.Message) -> control.Message:
        """Answer one request.

        Raises:
            TpError: it cannot be answered.
        """
        match request.get("do"):
            case "facts":
                hosted = [await one.facts() for one in self.session.machine.hosted.values()]
                return {"hosted": [facts_json.to_json(one) for one in hosted]}
            case "status":
                return self.status()
            case "env":
                one = self._hosted(str(request.get("workload")))
                env = one.process_environment() if request.get("all") else one.env
                return {"env": env}
            case "world":
                return self._world(request.get("workload"))
            case "down":
                self.holding.end(End(Why.ASKED))
                return {"ending": True}
            case "restart" | "start" | "stop" as what:
                return await self._processes(what, [*request.get("workloads", ())])
            case "reload":
                given = Reload.from_json(request) if "folder" in request else None
                written = request.get("exactly")
                exactly = planfile.read(written) if written is not None else None
                plan = await self.reloading.apply(given, exactly=exactly)
                return {"changes": [describe.line(action) for action in plan.actions]}
            case unknown:
                raise UsageError(f"this session does not know the request `{unknown}`")

    async def _processes(self, what: str, names: list[str]) -> dict[str, Any]:
        """Restart, start or stop commands; without names, all of them. Says which it did."""
        hosted = [self._hosted(name) for name in names] or [
            one
            for _, one in sorted(self.session.machine.hosted.items())
            if one.workload.run is not None
        ]

        async def change(one: Hosted) -> bool:
            if what == "stop":
                return await one.running.halt()
            return await one.running.again(only_halted=what == "start")

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(change(one)) for one in hosted]
        except* TpError as errors:
            raise errors.exceptions[0] from None
        done = [one.workload.name for one, task in zip(hosted, tasks, strict=True) if task.result()]
        return {"done": done, "asked": [one.workload.name for one in hosted]}

    def status(self) -> dict[str, Any]:
        """Describe the session; the shape is ``schemas/status.schema.json``."""
        session = self.session
        return {
            "session": session.identity.id,
            "name": session.identity.name,
            "file": session.identity.file,
            "holder": session.identity.holder,
            "context": session.api.context,
            "server": session.api.server,
            "namespaces": session.namespaces,
            "method": session.method,
            "ttl_s": session.wish.ttl_s,
            "workloads": [
                describe.hosted(one, session.yielded.get(one.workload.target))
                for _, one in sorted(session.machine.hosted.items())
            ],
        }

    def _hosted(self, name: str) -> Hosted:
        hosted = self.session.machine.hosted
        if name not in hosted:
            there = ", ".join(sorted(hosted)) or "none"
            raise UsageError(f"no workload `{name}` is up", hint=f"up: {there}")
        return hosted[name]

    def _world(self, name: str | None) -> dict[str, Any]:
        """Say how to get into a workload's world; without a name, into the only one's."""
        there = sorted(self.session.machine.hosted)
        if name is None and len(there) > 1:
            raise UsageError("several workloads are up", hint=f"name one: {', '.join(there)}")
        one = self._hosted(name or "".join(there))
        if one.keeper is None:
            raise TpError(f"{one.workload.name} is not connected yet", hint="try again in a moment")
        return {
            "keeper": one.keeper.pid,
            "env": one.process_environment(),
            "isolated": one.keeper.isolated,
            "folder": str(self.session.machine.here.state.folder),
        }
