"""sshtunnel's forwarder, with the cures that it needs in front of an API server.

It listens on a port of this machine's localhost and carries each connection over SSH. Changed is:
host keys are checked and jumps are gone through (``Chain``); Nagle's delay is off on both sides
(40 ms a request); a half-closed connection keeps its other half; no ``select``, which breaks past
1,024 descriptors; the queue of the listening socket is long enough for many workloads; a peer that
is silently gone is noticed, and the connection is made anew under the same port.
"""

# sshtunnel has no annotations.
# mypy: disable-error-code="misc,no-untyped-call"
from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import paramiko
import sshtunnel

from tpconfig.cluster.bastion.chain import CONNECT_S, Chain
from tpconfig.cluster.bastion.keys import Keyring
from tpconfig.cluster.bastion.refusal import BastionError
from tpconfig.cluster.bastion.route import Hop

BEAT_S: Final = 10.0
BEAT_ANSWER_S: Final = 15.0
"""How often the bastion is asked for a sign of life, and how long it may take."""

_CHUNK: Final = 64 * 1024
_RESET: Final = struct.pack("ii", 1, 0)

_log = logging.getLogger(__name__)
_log_of_library = logging.getLogger(f"{__name__}.sshtunnel")
for _name in ("paramiko", _log_of_library.name):
    # What is wrong is said by our errors; the libraries would print it besides.
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


class Forwarder(sshtunnel.SSHTunnelForwarder):
    """A port of this machine that leads through the bastion to one address."""

    def __init__(self, hops: Sequence[Hop], keyring: Keyring, to: tuple[str, int]) -> None:
        self._hops = tuple(hops)
        self._keyring = keyring
        self._to = to
        self._chain = Chain()
        self._first: paramiko.Channel | None = None
        self._lock = threading.Lock()
        self._failed: tuple[float, BaseException] | None = None
        self._ended = False
        super().__init__(
            (hops[-1].host, hops[-1].port),
            ssh_config_file=None,
            ssh_username=hops[-1].user,
            local_bind_address=("127.0.0.1", 0),
            remote_bind_address=to,
            logger=_log_of_library,
        )
        self.skip_tunnel_checkup = True

    @staticmethod
    def _consolidate_auth(**_: Any) -> tuple[None, list[Any]]:
        """Look for no keys: the keyring does."""
        return None, []

    def _connect_to_gateway(self) -> None:
        """Make the connection, and see that it leads to where it should."""
        chain = Chain()
        self._chain.close()
        self._chain = chain
        try:
            chain.open(self._hops, self._keyring)
            self._transport = chain.last
            self._first = self._channel()
        except BaseException:
            chain.close()
            raise
        threading.Thread(target=_beat, args=(chain.last,), name="bastion-beat", daemon=True).start()

    def ensure(self) -> None:
        """Have a living connection, a new one where it was lost; blocks.

        Whoever waits while somebody else tries shares the result.

        Raises:
            BastionError: there is none to be had.
        """
        asked_s = time.monotonic()
        with self._lock:
            if self.is_active or self._ended:
                return
            if self._failed is not None and self._failed[0] >= asked_s:
                raise self._failed[1]
            _log.info("bastion lost", extra={"host": self.ssh_host})
            try:
                self._connect_to_gateway()
            except BaseException as error:
                self._failed = time.monotonic(), error
                raise
            _log.info("bastion back", extra={"host": self.ssh_host})

    def abort(self) -> None:
        """End everything at once, also what is only just being connected."""
        self._ended = True
        self._chain.close()

    def stop(self, force: bool = True) -> None:
        """End everything; the port is closed."""
        self._ended = True
        super().stop(force=force)
        self._chain.close()

    def channel(self) -> paramiko.Channel:
        """Return a way to the address, for one connection.

        Raises:
            BastionError: the bastion does not lead there.
        """
        with self._lock:
            first, self._first = self._first, None
        if first is not None and not (first.closed or first.eof_received):
            return first
        return self._channel()

    def _channel(self) -> paramiko.Channel:
        host, port = self._to
        try:
            return self._transport.open_channel(
                "direct-tcpip", self._to, ("127.0.0.1", 0), timeout=CONNECT_S
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise BastionError(
                f"the bastion {self._hops[-1]} does not lead to {host}:{port}",
                hint="its sshd has to allow TCP forwarding, and to reach the kubeconfig's server "
                "under that name",
                details=(str(error) or "no answer",),
            ) from error

    def _make_ssh_forward_server_class(self, remote_address_: tuple[str, int]) -> Any:
        return _Server

    def _make_ssh_forward_handler_class(self, remote_address_: tuple[str, int]) -> Any:
        class Handler(sshtunnel._ForwardHandler):
            remote_address = remote_address_
            ssh_transport = None
            logger = _log_of_library

            def handle(self) -> None:
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _carry(self.request, forwarder)

        forwarder = self
        return Handler


class _Server(sshtunnel._ThreadingForwardServer):
    request_queue_size = 128  # sshtunnel's 5 would make a burst of links wait for a second


def _carry(sock: socket.socket, forwarder: Forwarder) -> None:
    """Join one accepted connection to the address; a failure is a reset, never an empty answer."""
    try:
        forwarder.ensure()
        channel = forwarder.channel()
    except Exception as error:  # said to whoever asks for a connection next
        _log.info("not carried", extra={"error": str(error)})
        _reset(sock)
        return
    up = threading.Thread(target=_copy_up, args=(sock, channel), daemon=True)
    up.start()
    _copy_down(channel, sock)
    up.join()
    channel.close()


def _copy_up(sock: socket.socket, channel: paramiko.Channel) -> None:
    try:
        while data := sock.recv(_CHUNK):
            channel.sendall(data)
        channel.shutdown_write()
    except (OSError, EOFError, paramiko.SSHException):
        channel.close()


def _copy_down(channel: paramiko.Channel, sock: socket.socket) -> None:
    try:
        while data := channel.recv(_CHUNK):
            sock.sendall(data)
        if channel.get_transport().is_active():
            sock.shutdown(socket.SHUT_WR)
        else:
            _reset(sock)
    except (OSError, EOFError, paramiko.SSHException):
        channel.close()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _reset(sock: socket.socket) -> None:
    """End a connection so that nobody takes it for a regular end."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.shutdown(socket.SHUT_RD)


def _beat(transport: paramiko.Transport) -> None:
    """Ask for a sign of life now and then; without one the transport ends."""
    done = threading.Event()
    while transport.is_active():
        late = threading.Timer(BEAT_ANSWER_S, _given_up(transport))
        late.daemon = True
        late.start()
        try:
            transport.global_request("keepalive@openssh.com", wait=True)
        except (OSError, EOFError, paramiko.SSHException):
            return
        finally:
            late.cancel()
        done.wait(BEAT_S)


def _given_up(transport: paramiko.Transport) -> Callable[[], None]:
    def close() -> None:
        _log.info("bastion silent", extra={"for_s": BEAT_ANSWER_S})
        transport.close()

    return close
