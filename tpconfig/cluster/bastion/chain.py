"""One SSH connection through all hops: connected, the other end proven, then ourselves."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import paramiko

from tpconfig.cluster import connections
from tpconfig.cluster.bastion import knownhosts
from tpconfig.cluster.bastion.keys import Keyring
from tpconfig.cluster.bastion.knownhosts import HostKey, Known
from tpconfig.cluster.bastion.refusal import BastionError
from tpconfig.cluster.bastion.route import Hop

CONNECT_S: Final = 10.0
ANSWER_S: Final = 15.0
"""How long a hop may take for its greeting, for the keys, and for each answer to a login."""

_RSA: Final = ("rsa-sha2-512", "rsa-sha2-256")

_log = logging.getLogger(__name__)


class Chain:
    """The transports of all hops, each inside the one before; may be closed from any thread."""

    def __init__(self) -> None:
        self._transports: list[paramiko.Transport] = []
        self._sockets: list[socket.socket] = []
        self._command: subprocess.Popen[bytes] | None = None

    @property
    def last(self) -> paramiko.Transport:
        """The bastion's own transport."""
        return self._transports[-1]

    def open(self, hops: Sequence[Hop], keyring: Keyring) -> None:
        """Connect and log in, hop by hop.

        Raises:
            BastionError: a hop cannot be reached, is not who it should be, or refuses us.
            PassphraseNeededError: a key has to be unlocked first.
        """
        way: socket.socket | paramiko.Channel = self._first(hops[0])
        for at, hop in enumerate(hops):
            transport = _handshake(way, hop)
            self._transports.append(transport)
            _prove(transport, hop)
            _log_in(transport, hop, keyring)
            if at + 1 < len(hops):
                way = _onward(transport, hop, hops[at + 1])

    def close(self) -> None:
        """End everything; what waits for an answer gets an error."""
        for transport in reversed(self._transports):
            transport.close()
        for sock in self._sockets:
            sock.close()
        if self._command is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._command.pid, signal.SIGTERM)
            self._command.wait()
            self._command = None

    def _first(self, hop: Hop) -> socket.socket:
        sock = self._through(hop.proxy_command) if hop.proxy_command else _tcp(hop)
        self._sockets.append(sock)
        return sock

    def _through(self, command: str) -> socket.socket:
        """Start a ProxyCommand, as ssh does by the user's shell."""
        ours, theirs = socket.socketpair()
        with theirs:
            shell = os.environ.get("SHELL") or "/bin/sh"
            self._command = subprocess.Popen(
                [shell, "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return ours


def _tcp(hop: Hop) -> socket.socket:
    try:
        sock = socket.create_connection((hop.host, hop.port), timeout=CONNECT_S)
    except OSError as error:
        words = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise BastionError(
            f"cannot reach the bastion {hop}",
            hint=f"does `ssh {hop.name}` work? is the VPN up?",
            details=(words[:1].lower() + words[1:],),
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # paramiko leaves Nagle on: 40 ms
    connections.keep_alive(sock)
    return sock


def _onward(transport: paramiko.Transport, hop: Hop, to: Hop) -> paramiko.Channel:
    try:
        return transport.open_channel(
            "direct-tcpip", (to.host, to.port), ("127.0.0.1", 0), timeout=CONNECT_S
        )
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise BastionError(
            f"{hop} does not let us through to {to}",
            hint="its sshd has to allow TCP forwarding, and to reach that machine itself",
            details=(str(error),),
        ) from error


def _handshake(way: socket.socket | paramiko.Channel, hop: Hop) -> paramiko.Transport:
    try:
        transport = paramiko.Transport(way)
        transport.daemon = True
        transport.banner_timeout = transport.handshake_timeout = ANSWER_S
        transport.auth_timeout = ANSWER_S
        options = transport.get_security_options()  # GCM needs no MAC: a quarter less CPU time
        options.ciphers = tuple(sorted(options.ciphers, key=lambda one: "gcm" not in one))
        if kinds := _kinds(transport, _known(hop)):
            options.key_types = kinds
        transport.start_client(timeout=ANSWER_S)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise BastionError(
            f"{hop} does not speak SSH with us",
            hint="is this the port of an sshd?",
            details=(str(error) or "it closed the connection",),
        ) from error
    return transport


def _known(hop: Hop) -> Known:
    if hop.host_key is not None:
        pinned = knownhosts.parse(hop.host_key, "cluster.bastion.host_key")
        return Known((pinned,) if pinned else ())
    return knownhosts.read(hop.known_hosts, hop.key_name)


def _kinds(transport: paramiko.Transport, known: Known) -> tuple[str, ...]:
    """Return the algorithms by which the host can prove a key that is known.

    Without this it shows a key of the kind that is thought best, which may be another one.
    """
    wanted = [one for kind in known.kinds for one in (_RSA if kind == "ssh-rsa" else (kind,))]
    offered = transport.get_security_options().key_types
    return tuple(one for one in wanted if one in offered)


def _prove(transport: paramiko.Transport, hop: Hop) -> None:
    """Check who the hop is.

    Raises:
        BastionError: its key is not known, or another one than is known.
    """
    shown = transport.get_remote_server_key()
    key = HostKey(shown.get_name(), shown.asbytes())
    known = _known(hop)
    if any(one.blob == key.blob for one in known.revoked):
        raise BastionError(
            f"the host key of {hop} was revoked",
            hint="known_hosts says so (@revoked): ask its administrator for the new one",
            details=(f"it shows {key.fingerprint}",),
        )
    if any(one.blob == key.blob for one in known.right):
        return
    if known.right:
        raise _another(hop, key, known)
    if hop.accept_new and hop.known_hosts:
        _accept(hop, key)
        return
    raise BastionError(
        f"the host key of {hop} is not known",
        hint="compare it with what its administrator says, then log in once with "
        f"`ssh {hop.name}`, or write it down as cluster.bastion.host_key; `host_key: accept-new` "
        "takes whatever comes first",
        details=(f"it shows {key.fingerprint}", f'host_key: "{key.text}"'),
    )


def _another(hop: Hop, key: HostKey, known: Known) -> BastionError:
    if hop.host_key is not None:
        cure = "correct cluster.bastion.host_key"
    else:
        cure = f"ssh-keygen -R '{hop.key_name}', then log in with ssh once"
    return BastionError(
        f"the host key of {hop} is not the one that is known",
        hint=f"somebody may be listening in between; where the change is meant: {cure}",
        details=(
            f"it shows {key.fingerprint}",
            *(f"known is {one.fingerprint} ({one.place})" for one in known.right),
        ),
    )


def _accept(hop: Hop, key: HostKey) -> None:
    file = hop.known_hosts[0]
    try:
        knownhosts.remember(file, hop.key_name, key, hashed=hop.hash_names)
    except OSError as error:
        raise BastionError(
            f"the host key of {hop} cannot be written to {file}: {error.strerror}"
        ) from error
    _log.warning("host key accepted", extra={"host": str(hop), "key": key.fingerprint})


def _log_in(transport: paramiko.Transport, hop: Hop, keyring: Keyring) -> None:
    """Offer key after key.

    Raises:
        BastionError: none is accepted, or keys alone are not enough.
        PassphraseNeededError: only locked ones are left.
    """
    tried: list[str] = []
    accepted = ["publickey"]
    try:
        transport.auth_none(hop.user)
        return  # some bastions know us by the network that we come from
    except paramiko.BadAuthenticationType as error:
        accepted = error.allowed_types
    except (paramiko.SSHException, EOFError) as error:
        raise _refused(hop, tried, str(error)) from error
    if "publickey" not in accepted:
        raise _refused(hop, tried, f"it wants {' or '.join(accepted)}")
    for name, key in keyring.of(hop):
        tried.append(name)
        try:
            further = transport.auth_publickey(hop.user, key)
        except paramiko.AuthenticationException:
            if transport.is_active():
                continue
            raise _refused(hop, tried, "it closed the connection after so many keys") from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise _refused(hop, tried, str(error)) from error
        if further:
            raise _refused(hop, tried, f"after the key it wants {' and '.join(further)} as well")
        return
    raise _refused(hop, tried, "none of these keys is accepted" if tried else "there is no key")


def _refused(hop: Hop, tried: Sequence[str], why: str) -> BastionError:
    return BastionError(
        f"{hop} does not let us log in",
        hint=f"does `ssh {hop.name}` work without a password? name the key with "
        "cluster.bastion.identity, or add it to your agent (ssh-add)",
        details=(why, *(f"tried {one}" for one in tried)),
    )
