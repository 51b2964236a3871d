"""The environment of a local process: the developer's own, the Pod's over it, then the file's.

Pure. Values are never touched: what is no UTF-8 stays in them as surrogates (PEP 383).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

HOSTNAME: Final = "HOSTNAME"

LOCAL_KEYS: Final = frozenset({"HOME", "PATH", HOSTNAME, "SHELL", "TERM", "USER", "LANG"})
"""Facts about the machine that the process runs on."""

IMAGE_KEYS: Final = frozenset(
    {
        "GPG_KEY",
        "LANG",
        "LC_CTYPE",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "PYTHON_GET_PIP_SHA256",
        "PYTHON_GET_PIP_URL",
        "PYTHON_PIP_VERSION",
        "PYTHON_SETUPTOOLS_VERSION",
        "PYTHON_SHA256",
        "PYTHON_VERSION",
    }
)
"""What the agent's image sets for itself (and Python, PEP 538); the Pod's spec may mean them."""

PROXY_KEYS: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
"""In lower case. A developer's proxy is on a network that the process is not in."""

_OWN_PREFIX: Final = "TPCONFIG_"


@dataclass(frozen=True, slots=True)
class PodEnvironment:
    """What the agent found around itself.

    ``spec_keys`` are the names that the Pod's spec itself gives a value to. ``takes_hostname``:
    the process is known by the Pod's name (a StatefulSet's identity).
    """

    values: Mapping[str, str]
    spec_keys: Collection[str] = frozenset()
    takes_hostname: bool = False


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a process may want to know of where it seems to be.

    ``root`` is the folder in which all of the Pod's files are, ``mounts`` their paths in the Pod.
    """

    workload: str
    pod: str
    container: str
    root: str | None = None
    mounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What the file adds and takes away, in this order; ``unset`` holds globs."""

    set: tuple[tuple[str, str], ...] = ()
    unset: tuple[str, ...] = ()


def additions(
    pod: PodEnvironment, whereabouts: Whereabouts, changes: Changes = Changes()
) -> dict[str, str]:
    """Return what the Pod and the file add to a developer's environment, sorted by name.

    This is what ``tp env`` prints and what exported files hold.
    """
    added = {key: value for key, value in pod.values.items() if _is_handed_over(key, pod)}
    added |= whereabouts_variables(whereabouts)
    added |= dict(changes.set)
    return {key: added[key] for key in sorted(_without(added, changes.unset))}


def process_environment(
    base: Mapping[str, str], added: Mapping[str, str], changes: Changes = Changes()
) -> dict[str, str]:
    """Return the whole environment of a process.

    Args:
        base: the developer's own.
        added: the `additions`.
        changes: of the file; its ``unset`` takes away the developer's variables too.
    """
    kept = {key: value for key, value in base.items() if key.lower() not in PROXY_KEYS}
    whole = kept | dict(added)
    return {key: whole[key] for key in _without(whole, changes.unset)}


def whereabouts_variables(whereabouts: Whereabouts) -> dict[str, str]:
    """Return the variables that describe a workload, under our names and Telepresence's."""
    variables = {
        "TP_WORKLOAD": whereabouts.workload,
        "TP_POD": whereabouts.pod,
        "TP_CONTAINER": whereabouts.container,
        "TELEPRESENCE_POD": whereabouts.pod,
        "TELEPRESENCE_CONTAINER": whereabouts.container,
    }
    for prefix in ("TP", "TELEPRESENCE"):
        variables[f"{prefix}_MOUNTS"] = ":".join(whereabouts.mounts)
        if whereabouts.root is not None:
            variables[f"{prefix}_ROOT"] = whereabouts.root
    return variables


def _is_handed_over(key: str, pod: PodEnvironment) -> bool:
    if key.startswith(_OWN_PREFIX):
        return False
    if key == HOSTNAME:
        return pod.takes_hostname
    if key in LOCAL_KEYS:
        return False
    return key not in IMAGE_KEYS or key in pod.spec_keys


def _without(keys: Iterable[str], globs: tuple[str, ...]) -> list[str]:
    return [key for key in keys if not any(fnmatchcase(key, glob) for glob in globs)]
