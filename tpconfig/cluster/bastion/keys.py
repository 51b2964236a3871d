"""The user's keys, in the order in which ssh would offer them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
from paramiko.agent import AgentSSH

from tpconfig.cluster.bastion import knownhosts
from tpconfig.cluster.bastion.refusal import PassphraseNeededError
from tpconfig.cluster.bastion.route import Hop

_log = logging.getLogger(__name__)

_KINDS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class Keyring:
    """Private keys of files, once they are unlocked, for as long as a tunnel may be rebuilt."""

    def __init__(self) -> None:
        self._keys: dict[str, paramiko.PKey] = {}
        self._skipped: set[str] = set()

    def unlock(self, path: str, passphrase: str) -> bool:
        """Load a locked key; False where that is not its passphrase."""
        try:
            key = _load(path, passphrase)
        except paramiko.SSHException:
            return False
        if key is not None:
            self._keys[path] = key
        return True

    def skip(self, path: str) -> None:
        """Go on without a locked key."""
        self._skipped.add(path)

    def of(self, hop: Hop) -> Iterator[tuple[str, paramiko.PKey]]:
        """Give each key to try with a word for it: no question is asked before it must be.

        Raises:
            PassphraseNeededError: only locked keys are left.
        """
        files = [path for path in hop.identities if Path(path).is_file()]
        held = _agent_keys(hop.agent)
        meant = {blob for path in files if (blob := _public(path))}
        for key in held:
            if key.asbytes() in meant:
                yield "a key of the agent", key
        locked = []
        for path in files:
            if _public(path) in {key.asbytes() for key in held} or path in self._skipped:
                continue
            try:
                key_of_file = self._keys.get(path) or _load(path, None)
            except paramiko.PasswordRequiredException:
                locked.append(path)
                continue
            except paramiko.SSHException as error:
                _log.info("key left out", extra={"path": path, "error": str(error)})
                continue
            if key_of_file is not None:
                self._keys[path] = key_of_file
                yield path, key_of_file
        if not hop.only_identities:
            for key in held:
                if key.asbytes() not in meant:
                    yield "a key of the agent", key
        if locked:
            raise PassphraseNeededError(locked[0])


class _Agent(AgentSSH):
    """The agent at a socket of our choice; paramiko's own asks $SSH_AUTH_SOCK only."""

    def __init__(self, path: str) -> None:
        super().__init__()
        conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            conn.connect(path)
            self._connect(conn)  # type: ignore[attr-defined]
        except BaseException:
            conn.close()
            raise


def _agent_keys(path: str | None) -> tuple[paramiko.PKey, ...]:
    if path is None:
        return ()
    try:
        return tuple(_Agent(path).get_keys())
    except (OSError, paramiko.SSHException) as error:
        _log.info("no agent", extra={"path": path, "error": str(error)})
        return ()


def _public(path: str) -> bytes | None:
    """Return the public half of a key, if it stands beside it."""
    with suppress(OSError):
        key = knownhosts.parse(Path(f"{path}.pub").read_text("utf-8", "replace"))
        return key.blob if key else None
    return None


def _load(path: str, passphrase: str | None) -> paramiko.PKey | None:
    """Return a file's private key with its certificate, None where its kind is not known here.

    Raises:
        PasswordRequiredException: it is locked.
        SSHException: it is no key, cannot be read, or that is not its passphrase.
    """
    failure: paramiko.SSHException | None = None
    for kind in _KINDS:
        try:
            key = kind.from_private_key_file(path, passphrase)
        except paramiko.PasswordRequiredException:
            raise
        except paramiko.SSHException as error:
            failure = failure or error
            continue
        except (OSError, ValueError, TypeError) as error:
            failure = failure or paramiko.SSHException(str(error))
            continue
        certificate = Path(f"{path}-cert.pub")
        if certificate.is_file():
            key.load_certificate(str(certificate))
        return key
    if failure is not None:
        raise failure
    return None
