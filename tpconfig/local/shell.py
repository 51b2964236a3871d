"""The interactive shell of somebody without a command: their own, saying where they are.

Their start-up files are read as ever; only then the prompt gets the workload's name in front.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tpconfig.local import exports

FALLBACK: Final = "/bin/sh"

_BASH: Final = r"""
[ -f ~/.bashrc ] && . ~/.bashrc
__tp_prompt() {
    case $PS1 in "(tp "*) ;; *) PS1="(tp $TP_WORKLOAD) $PS1" ;; esac
}
PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND
}__tp_prompt"
"""

_ZSHENV: Final = r"""
__tp_folder=$ZDOTDIR
ZDOTDIR={own}
[ -f "$ZDOTDIR/.zshenv" ] && . "$ZDOTDIR/.zshenv"
ZDOTDIR=$__tp_folder
"""

_ZSHRC: Final = r"""
ZDOTDIR={own}
[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"
unset __tp_folder
__tp_prompt() {{
    case $PS1 in "(tp "*) ;; *) PS1="(tp $TP_WORKLOAD) $PS1" ;; esac
}}
autoload -Uz add-zsh-hook && add-zsh-hook precmd __tp_prompt
"""

_FISH: Final = (
    "functions -q fish_prompt; or function fish_prompt; echo -n '> '; end; "
    "functions -c fish_prompt __tp_prompt; "
    'function fish_prompt; echo -n "(tp $TP_WORKLOAD) "; __tp_prompt; end'
)


@dataclass(frozen=True, slots=True)
class Shell:
    """What to start, and what its environment needs besides."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def interactive(environment: Mapping[str, str], folder: Path) -> Shell:
    """Return how to start the user's shell; ``folder`` gets the start-up files that it needs.

    ``TP_WORKLOAD`` in the shell's environment is what the prompt names.
    """
    program = environment.get("SHELL") or FALLBACK
    if not os.access(program, os.X_OK):
        program = FALLBACK
    match os.path.basename(program):
        case "bash":
            start_up = folder / "bashrc"
            exports.write(start_up, _BASH.encode())
            return Shell((program, "--rcfile", str(start_up), "-i"), {})
        case "zsh":
            own = environment.get("ZDOTDIR") or environment.get("HOME", "/")
            for name, text in ((".zshenv", _ZSHENV), (".zshrc", _ZSHRC)):
                exports.write(folder / name, text.format(own=shlex.quote(own)).encode())
            return Shell((program, "-i"), {"ZDOTDIR": str(folder)})
        case "fish":
            return Shell((program, "--init-command", _FISH, "-i"), {})
        case _:
            return Shell((program, "-i"), {"PS1": "(tp $TP_WORKLOAD) $ "})
