"""Asks the user for the passphrase of a key, as ssh does: on the terminal, else by SSH_ASKPASS."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
from typing import Any, Final

from tpconfig.cluster.bastion.refusal import BastionError
from tpconfig.errors import ExitCode, TpError

TRIES: Final = 3


class PromptInterruptedError(TpError):
    """Ctrl-C instead of a passphrase."""

    exit_code = ExitCode.INTERRUPTED


def ask(path: str) -> str:
    """Return what the user types; empty: go on without this key. On the main thread only.

    Raises:
        BastionError: there is nobody to ask.
        PromptInterruptedError: Ctrl-C.
    """
    prompt = f"Enter passphrase for key '{path}': "
    if not _terminal():
        return _askpass(path, prompt)
    # The event loop would only note Ctrl-C, and go on waiting for the line.
    before: Any = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(prompt)
    except KeyboardInterrupt:
        raise PromptInterruptedError("interrupted") from None
    except EOFError:
        return ""
    finally:
        signal.signal(signal.SIGINT, before)


def _terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return os.environ.get("SSH_ASKPASS_REQUIRE") != "force"


def _askpass(path: str, prompt: str) -> str:
    program = os.environ.get("SSH_ASKPASS")
    if not program:
        raise BastionError(
            f"the key {path} is locked, and there is no terminal to ask for its passphrase",
            hint=f"add it to your agent first: ssh-add {path}",
        )
    try:
        done = subprocess.run(
            [program, prompt], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
    except OSError as error:
        raise BastionError(f"SSH_ASKPASS={program} cannot be run: {error.strerror}") from error
    return "" if done.returncode else done.stdout.decode().removesuffix("\n")
