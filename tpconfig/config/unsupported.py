"""What a valid file asks for and this version cannot do yet.

``plan`` and ``up`` refuse it with the key's line; loading does not, so that an editor and a
colleague with a newer version are content. ``ENGINES`` is a plain table: a new engine adds its key
or removes its limit there, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tpconfig.config import codes
from tpconfig.config.fields import Section
from tpconfig.config.load import Loaded
from tpconfig.config.nodes import Path, dotted
from tpconfig.config.problems import ordered
from tpconfig.errors import Problem
from tpconfig.suggest import listed

ANY: Final[frozenset[Any]] = frozenset()
"""Every value that the models take."""

ENGINES: Final[dict[str, frozenset[Any]]] = {
    "version": ANY,
    "include": ANY,
    "name": ANY,
    "cluster.context": ANY,
    "cluster.namespace": ANY,
    "cluster.image.name": ANY,
    "cluster.image.python": ANY,
    "cluster.image_pull_secrets": ANY,
    "cluster.protected": ANY,
    "cluster.bastion": ANY,
    "session.ttl": ANY,
    "session.on_conflict": ANY,
    "session.reconnect": ANY,
    "session.janitor": ANY,
    "session.linger": frozenset({0.0}),
    "method": frozenset({"auto", "namespace", "none"}),
    "outbound": ANY,
    "forwards": ANY,
    "socks": ANY,
    "workloads.*.target.kind": ANY,
    "workloads.*.target.name": ANY,
    "workloads.*.target.container": ANY,
    "workloads.*.target.namespace": ANY,
    "workloads.*.profiles": ANY,
    "workloads.*.mode": frozenset({"swap", "none"}),
    "workloads.*.strategy": ANY,
    "workloads.*.init": ANY,
    "workloads.*.expose.*.local": ANY,
    "workloads.*.expose.*.cluster": ANY,
    "workloads.*.expose.*.protocol": ANY,
    "workloads.*.expose.*.wait": ANY,
    "workloads.*.expose.*.proxy_protocol": ANY,
    "workloads.*.env": ANY,
    "workloads.*.pod_localhost": ANY,
    "workloads.*.volumes": ANY,
    "workloads.*.run.command": ANY,
    "workloads.*.run.cwd": ANY,
    "workloads.*.run.ready": ANY,
    "workloads.*.run.restart": ANY,
    "workloads.*.run.watch": ANY,
    "workloads.*.run.pre": ANY,
    "workloads.*.run.build": ANY,
    "workloads.*.run.post": ANY,
    "workloads.*.run.stop": ANY,
    "workloads.*.run.tty": frozenset({False}),
    "workloads.*.run.depends_on": ANY,
}
"""The keys that have an engine, with the values for which they have it."""

_Leaf = tuple[Path, tuple[str, ...], Any]
"""The path of a value, the same with ``*`` for names and indexes, and the value."""

_LIMITED_ONLY: Final = "this version knows {words} here"


def check(loaded: Loaded) -> list[Problem]:
    """Return a problem for every key of the file that has no engine yet."""
    found: list[Problem] = []
    for path, pattern, value in _leaves(loaded.file, (), ()):
        limit = ENGINES.get(".".join(pattern))
        if limit is None:
            found.append(
                Problem(
                    codes.NO_ENGINE,
                    f"`{dotted(path)}` cannot be done by this version of tp",
                    loaded.sources.key_of(path),
                    label="not yet",
                    hint="the file is valid; remove this to go on without it",
                )
            )
        elif limit and value not in limit:
            found.append(_limited(loaded, path, value, limit))
    return ordered(found)


def _limited(loaded: Loaded, path: Path, value: Any, limit: frozenset[Any]) -> Problem:
    words = listed(sorted(str(word) for word in limit), last="and")
    written = loaded.sources.text_of(path) if not isinstance(value, str) else value
    return Problem(
        codes.NO_ENGINE,
        f"`{dotted(path)}: {written}` cannot be done by this version of tp",
        loaded.source_of(path),
        label="not yet",
        hint=_LIMITED_ONLY.format(words=words) if isinstance(value, str) else None,
    )


def _leaves(value: Any, path: Path, pattern: tuple[str, ...]) -> Iterator[_Leaf]:
    """Walk what the file sets, as deep as the table goes."""
    if pattern and not _has_keys_inside(".".join(pattern)):
        if value not in ((), None):
            yield path, pattern, value
        return
    match value:
        case Section():
            for name, info in type(value).model_fields.items():
                if name in value.model_fields_set:
                    key = info.alias or name
                    yield from _leaves(getattr(value, name), (*path, key), (*pattern, key))
        case dict():
            for key, item in value.items():
                yield from _leaves(item, (*path, key), (*pattern, "*"))
        case tuple():
            for index, item in enumerate(value):
                yield from _leaves(item, (*path, index), (*pattern, "*"))
        case None:
            return
        case _:
            yield path, pattern, value


def _has_keys_inside(pattern: str) -> bool:
    """Say whether the table knows keys below a path; without any, all of it stands or falls."""
    return any(key.startswith(f"{pattern}.") for key in ENGINES)
