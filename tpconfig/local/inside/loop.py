"""The keeper: makes a workload's namespaces, starts its processes, and outlives none of them.

It is told what to do over one socket and ends everything when that socket does: whatever happened
to ``tp``, nothing of the workload stays behind. One thread, and nothing in it waits for anybody.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Final

from tpconfig.local.inside import children, mounts, netns, places, syscalls, wire

GRACE_S: Final = 2.0
"""How long processes have between being asked and being killed once ``tp`` is gone."""

_DEAF_TO: Final = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def keep(descriptor: int) -> None:
    """Serve ``tp`` at the other end of ``descriptor`` until it goes away."""
    os.set_inheritable(descriptor, False)
    sock = socket.socket(fileno=descriptor)
    os.setpgid(0, 0)
    for number in _DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    syscalls.become_subreaper()
    keeper = Keeper(sock)
    try:
        if keeper.set_up():
            keeper.serve()
    except netns.SetupError as error:
        wire.send(sock, {"failed": error.stage, "text": error.text, "errno": error.number})
    except (BrokenPipeError, ConnectionResetError):
        pass  # tp is gone: the same as the end of its socket
    finally:
        sock.close()
        keeper.end()


class Keeper:
    """One workload's namespaces and processes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._inbox = wire.Inbox(sock)
        self._cover: mounts.Cover | None = None
        self._running: dict[int, bool] = {}
        self._ended = False

    def set_up(self) -> bool:
        """Make what the first message asks for and answer with the listeners, if there are any.

        Returns:
            False if ``tp`` is gone before it said anything.
        """
        messages: list[tuple[wire.Message, tuple[int, ...]]] | None = []
        while not messages:
            messages = self._inbox.receive()
            if messages is None:
                return False
        first, _ = messages[0]
        if first["world"] is None:
            wire.send(self._sock, {"ready": []})
            return True
        hostname = first["world"]["hostname"]
        only_own_user = netns.enter_namespaces(hostname=hostname)
        remarks = netns.set_up()
        self._cover = mounts.Cover(first["scratch"])
        self._cover.arrange(
            first["world"]["files"],
            only_own_user=only_own_user,
            binds=[places.Bind.of(one) for one in first["world"]["binds"]],
            own=first["world"]["own"],
        )
        with contextlib.ExitStack() as opened:
            socks = [opened.enter_context(sock) for sock in netns.open_sockets()]
            wire.send(self._sock, {"ready": remarks}, tuple(sock.fileno() for sock in socks))
        return True

    def serve(self) -> None:
        """Do what is asked for until the socket ends or SIGTERM arrives."""
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._asked_to_end)
        signal.signal(signal.SIGCHLD, _noticed)
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.register(woken, select.POLLIN)
        if self._cover is not None:
            for descriptor, events in self._cover.watches():
                poll.register(descriptor, events)
        while not self._ended:
            for descriptor, _ in poll.poll():
                if descriptor == self._sock.fileno():
                    self._answer()
                elif descriptor == woken:
                    os.read(woken, 4096)
                    self._reap()
                elif self._cover is not None:
                    self._cover.renew(descriptor)

    def end(self) -> None:
        """End every process of the workload."""
        children.end_all(self._running, grace_s=GRACE_S)

    def _asked_to_end(self, _number: int, _frame: object) -> None:
        self._ended = True

    def _answer(self) -> None:
        messages = self._inbox.receive()
        if messages is None:
            self._ended = True
            return
        for message, descriptors in messages:
            try:
                self._do(message, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _do(self, message: wire.Message, descriptors: tuple[int, ...]) -> None:
        match message["do"]:
            case "spawn":
                self._spawn(message, descriptors)
            case "signal":
                alive = children.signal_group(message["pid"], message["signal"])
                wire.send(self._sock, {"id": message["id"], "alive": alive})
            case "sockets":
                family = socket.AddressFamily(message["family"])
                kind = socket.SocketKind(message["kind"])
                protocol = message["protocol"]
                makers = [lambda: socket.socket(family, kind, protocol)] * message["count"]
                self._hand_out(message["id"], makers)

    def _spawn(self, message: wire.Message, descriptors: tuple[int, ...]) -> None:
        answer: wire.Message = {"id": message["id"]}
        try:
            pid = children.start(message, descriptors)
        except children.StartError as error:
            answer |= {"errno": error.number, "stage": error.stage}
        else:
            answer["pid"] = pid
            self._running[pid] = bool(message["foreground"])
        wire.send(self._sock, answer)

    def _hand_out(self, request: int, makers: list[Callable[[], socket.socket]]) -> None:
        with contextlib.ExitStack() as made:
            try:
                socks = [made.enter_context(make()) for make in makers]
            except OSError as error:
                number = error.errno or 0
                wire.send(self._sock, {"id": request, "errno": number, "stage": "socket"})
            else:
                wire.send(self._sock, {"id": request}, tuple(sock.fileno() for sock in socks))

    def _reap(self) -> None:
        for pid, code in children.changed():
            is_foreground = self._running.get(pid)
            if code is None:
                if is_foreground:
                    # Nobody sits behind it who could say "fg".
                    children.signal_group(pid, signal.SIGCONT)
            elif is_foreground is not None:
                del self._running[pid]
                wire.send(self._sock, {"exited": pid, "code": code})


def _noticed(_number: int, _frame: object) -> None:
    """Only the wake-up that a Python-level signal function brings is wanted."""
