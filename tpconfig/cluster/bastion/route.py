"""Which machines lie between here and the bastion, as the user's own ssh would go.

``ssh -G`` says what ssh_config comes to for a host: ``Include``, ``Match``, patterns and tokens are
OpenSSH's own affair, and are never read here a second time in a slightly different way.
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tpconfig.cluster.bastion.refusal import BastionError
from tpconfig.model.desired import Bastion

SETTLED_S: Final = 10.0
"""How long ssh may take to say what it would do (``Match exec`` runs commands)."""

MOST_HOPS: Final = 8
_JUMP: Final = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?P<host>\[[^\]]+\]|[^:/]+)(?::(?P<port>\d+))?/?"
)
_TOKEN: Final = re.compile(r"%(.)")
_NEW_IS_FINE: Final = frozenset({"accept-new", "no", "off", "false"})

Settings = Mapping[str, tuple[str, ...]]
Ask = Callable[[list[str]], Settings]


@dataclass(frozen=True, slots=True)
class Hop:
    """One sshd on the way; ``name`` is what the user calls it.

    Attributes:
        identities: paths of private keys, in the order in which they are tried.
        agent: the path of the agent's socket, None without an agent.
        only_identities: the agent's other keys are not tried.
        known_hosts: files; what is accepted is written to the first one.
        key_name: the name in these files.
        accept_new: an unknown host key is written down instead of refused.
        hash_names: names are written down hashed.
        host_key: the one and only right key (``ssh-ed25519 AAAA…``), whatever the files say.
        proxy_command: gives the connection on its standard input and output.
    """

    name: str
    host: str
    port: int
    user: str
    identities: tuple[str, ...] = ()
    agent: str | None = None
    only_identities: bool = False
    known_hosts: tuple[str, ...] = ()
    key_name: str = ""
    accept_new: bool = False
    hash_names: bool = False
    host_key: str | None = None
    proxy_command: str | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + (f":{self.port}" if self.port != 22 else "")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A machine as somebody named it; what is None is ssh_config's to say."""

    host: str
    user: str | None = None
    port: int | None = None
    identity: str | None = None


def find(bastion: Bastion, *, ask: Ask | None = None) -> tuple[Hop, ...]:
    """Return the machines to go through, the bastion last.

    ``ask`` is given what to tell ssh, and returns its settings.

    Raises:
        BastionError: ssh_config cannot be read, the key does not exist, or jumps never end.
    """
    if bastion.identity is not None and not os.path.isfile(bastion.identity):
        raise BastionError(
            f"the bastion's key {bastion.identity} does not exist",
            hint="cluster.bastion.identity names a private key; leave it out for what ssh uses",
            source=bastion.source,
        )
    wanted = _Wanted(bastion.host, bastion.user, bastion.port, bastion.identity)
    return tuple(_hops(wanted, bastion, ask or ask_ssh, last=True, depth=0))


def _hops(
    wanted: _Wanted, bastion: Bastion, ask: Ask, *, last: bool, depth: int, jump: str | None = None
) -> list[Hop]:
    """Return a machine and those before it; ``jump`` takes the place of its own ProxyJump."""
    if depth >= MOST_HOPS:
        raise BastionError(
            f"the way to the bastion {bastion.host} has more than {MOST_HOPS} jumps",
            hint="does a ProxyJump of your ssh_config lead back to itself?",
        )
    settings = ask(_arguments(wanted, bastion.config))
    hop = _hop(wanted, settings, bastion, last=last)
    via = jump or _one(settings, "proxyjump")
    if via is None or via.lower() == "none":
        return [hop]
    *before, nearest = via.split(",")
    inner = _hops(
        _parsed(nearest),
        bastion,
        ask,
        last=False,
        depth=depth + 1,
        jump=",".join(before) or None,
    )
    return [*inner, hop]


def _arguments(wanted: _Wanted, config: str | None) -> list[str]:
    found = ["-F", config] if config else []
    for flag, value in (("-l", wanted.user), ("-p", wanted.port), ("-i", wanted.identity)):
        found += [flag, str(value)] if value is not None else []
    return [*found, "--", wanted.host]


def _parsed(jump: str) -> _Wanted:
    match = _JUMP.fullmatch(jump.strip())
    if match is None:
        raise BastionError(f"ProxyJump {jump} of ssh_config names no machine")
    port = match["port"]
    return _Wanted(match["host"].strip("[]"), match["user"], int(port) if port else None)


def _hop(wanted: _Wanted, settings: Settings, bastion: Bastion, *, last: bool) -> Hop:
    host = _one(settings, "hostname") or wanted.host
    user = _one(settings, "user") or wanted.user or getpass.getuser()
    port = int(_one(settings, "port") or wanted.port or 22)
    tokens = {"h": host, "n": wanted.host, "p": str(port), "r": user, "u": getpass.getuser()}
    tokens |= {"d": os.path.expanduser("~"), "%": "%"}
    command = _one(settings, "proxycommand")
    pinned = bastion.host_key if last and " " in bastion.host_key else None
    alias = _one(settings, "hostkeyalias")
    strict = _one(settings, "stricthostkeychecking") or "ask"
    return Hop(
        name=wanted.host,
        host=host,
        port=port,
        user=user,
        identities=tuple(
            _path(one, tokens) for one in settings.get("identityfile", ()) if one != "none"
        ),
        agent=_agent(settings, tokens),
        only_identities=_one(settings, "identitiesonly") == "yes",
        known_hosts=tuple(
            _path(one, tokens)
            for key in ("userknownhostsfile", "globalknownhostsfile")
            for one in (_one(settings, key) or "").split()
            if one != "none"
        ),
        key_name=alias or (host if port == 22 else f"[{host}]:{port}"),
        accept_new=strict in _NEW_IS_FINE or bastion.host_key == "accept-new",
        hash_names=_one(settings, "hashknownhosts") == "yes",
        host_key=pinned,
        proxy_command=_expanded(command, tokens) if command and command != "none" else None,
    )


def _one(settings: Settings, key: str) -> str | None:
    return settings.get(key, (None,))[0]


def _agent(settings: Settings, tokens: Mapping[str, str]) -> str | None:
    named = _one(settings, "identityagent")
    if named == "none":
        return None
    if named is None or named == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if named.startswith("$"):
        return os.environ.get(named.strip("${}")) or None
    return _path(named, tokens)


def _path(text: str, tokens: Mapping[str, str]) -> str:
    return os.path.expanduser(_expanded(text, tokens))


def _expanded(text: str, tokens: Mapping[str, str]) -> str:
    return _TOKEN.sub(lambda match: tokens.get(match[1], match[0]), text)


def ask_ssh(arguments: list[str]) -> Settings:
    """Return what ``ssh -G`` says; nothing at all where there is no ssh.

    Raises:
        BastionError: ssh does not understand its own configuration.
    """
    try:
        done = subprocess.run(
            ["ssh", "-G", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SETTLED_S,
            check=False,
        )
    except FileNotFoundError:
        return _without_ssh(arguments)
    except subprocess.TimeoutExpired:
        raise BastionError(
            f"`ssh -G {arguments[-1]}` takes longer than {SETTLED_S:.0f} s",
            hint="look for a `Match exec` in your ssh_config",
        ) from None
    if done.returncode:
        raise BastionError(
            f"ssh cannot say how it would go to {arguments[-1]}",
            hint="`ssh -G` reads your ssh_config; it has to be content with it",
            details=done.stderr.strip().splitlines(),
        )
    return settings_of(done.stdout)


def settings_of(text: str) -> Settings:
    """Read ``ssh -G``'s lines: a key in lower case, a value; some keys come several times."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found[key] = (*found.get(key, ()), value)
    return found


def _without_ssh(arguments: list[str]) -> Settings:
    """Say what ssh would without any configuration, for a machine that has no ssh."""
    names = ("id_ed25519", "id_ecdsa", "id_rsa")
    given = tuple(arguments[at + 1] for at, one in enumerate(arguments[:-1]) if one == "-i")
    return {
        "identityfile": (*given, *(f"~/.ssh/{name}" for name in names)),
        "userknownhostsfile": ("~/.ssh/known_hosts",),
        "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts",),
    }
