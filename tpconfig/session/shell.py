"""A shell in a workload's world, on the user's own terminal; its prompt tells where one is."""

from __future__ import annotations

import os
from pathlib import Path

from tpconfig.local.foreground import run_in_foreground
from tpconfig.local.process import ProcessSpec
from tpconfig.session.lifecycle import Session


async def run(session: Session) -> int:
    """Run the user's shell for the first workload; return its exit code."""
    name = session.desired.workloads[0].name
    one = session.machine.hosted[name]
    assert one.keeper is not None
    env = one.process_environment()
    argv, extra = command(
        name, env.get("SHELL") or "/bin/sh", session.machine.here.state.folder, env
    )
    spec = ProcessSpec(name, argv, {**env, **extra}, os.getcwd())
    return await run_in_foreground(one.keeper, spec)


def command(
    workload: str, shell: str, folder: Path, env: dict[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return how to start a shell with our prompt, after the user's own start files."""
    mark = f"(tp {workload}) "
    match Path(shell).name:
        case "bash":
            rc = folder / f"{workload}.bashrc"
            rc.write_text(f'[ -f ~/.bashrc ] && . ~/.bashrc\nPS1="{mark}$PS1"\n')
            return (shell, "--rcfile", str(rc), "-i"), {}
        case "zsh":
            home = env.get("ZDOTDIR") or env.get("HOME") or "/"
            own = folder / f"{workload}.zsh"
            own.mkdir(exist_ok=True)
            lines = f'ZDOTDIR="{home}"\n[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"\n'
            (own / ".zshrc").write_text(f'{lines}PROMPT="{mark}$PROMPT"\n')
            return (shell, "-i"), {"ZDOTDIR": str(own)}
        case _:
            return (shell, "-i"), {"PS1": f"{mark}$ "}
