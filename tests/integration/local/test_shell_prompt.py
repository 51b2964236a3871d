"""The user's own shell, started so that its prompt says where one is."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import time
from pathlib import Path

import pytest

from tpconfig.local import shell

OWN = {
    "bash": (".bashrc", "PS1='mine> '\nPROMPT_COMMAND='true;'\n"),
    "zsh": (".zshrc", "PS1='mine> '\n"),
    "fish": (".config/fish/config.fish", "function fish_prompt; echo -n 'mine> '; end\n"),
    "dash": (".profile", ""),
}
PROMPTS = {"dash": "(tp api) $ "}


def screen(argv: tuple[str, ...], environment: dict[str, str], until: str) -> str:
    """Run a program on a terminal until a text is on it; return what is."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, environment)
    seen, deadline = "", time.monotonic() + 60
    try:
        while until not in seen and time.monotonic() < deadline:
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 65536).decode(errors="replace")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)
    return seen


@pytest.mark.parametrize("name", [name for name in OWN if shutil.which(name)])
def test_the_prompt_names_the_workload(name: str, tmp_path: Path) -> None:
    """The user's own start-up file is read, and its prompt gets the workload in front."""
    file, text = OWN[name]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    folder = tmp_path / "state"
    folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "TP_WORKLOAD": "api",
        "SHELL": str(shutil.which(name)),
    }
    started = shell.interactive(environment, folder)
    prompt = PROMPTS.get(name, "(tp api) mine> ")
    assert prompt in screen(started.argv, environment | dict(started.env), prompt)


def test_a_shell_that_is_not_there_is_replaced(tmp_path: Path) -> None:
    """Somebody whose SHELL does not exist here gets /bin/sh."""
    assert shell.interactive({"SHELL": "/no/such/shell"}, tmp_path).argv == ("/bin/sh", "-i")
