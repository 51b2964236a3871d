"""Looks this machine over for what a session needs of it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tpconfig.errors import TpError
from tpconfig.local import observe, sshfs, state
from tpconfig.model.finding import Finding, Verdict

_LONGEST_ID: Final = "0" * 8
_SCARCE_BYTES: Final = 64 * 1024 * 1024
_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_PROGRAMS: Final = (("ip", "iproute2"), ("nft", "nftables"))


async def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Say what there is, and what is missing with its cure."""
    found = [Finding("machine", Verdict.OK, f"{platform.system()} {platform.release()}")]
    folder = _state_folder(environ)
    found.append(folder)
    if folder.verdict is Verdict.FAILURE:
        return found
    found += _programs(environ)
    found.append(await _namespace_method(state.folder(environ)))
    found.append(_files())
    return found


def _state_folder(environ: Mapping[str, str]) -> Finding:
    """Judge the state folder by making it and a session's folder's length in it."""
    topic = "state folder"
    try:
        place = state.prepare(state.folder(environ))
    except TpError as error:
        return Finding(topic, Verdict.FAILURE, error.message, error.hint or "")
    socket = os.fsencode(state.session(place, _LONGEST_ID).socket)
    if len(socket) > state.MAX_SOCKET_PATH:
        cure = "set TP_STATE_DIR to a folder with a shorter path"
        text = f"{place}: too long for the path of a socket in it"
        return Finding(topic, Verdict.FAILURE, text, cure)
    if (free := shutil.disk_usage(place).free) < _SCARCE_BYTES:
        cure = "make room, or set TP_STATE_DIR to a folder elsewhere"
        return Finding(topic, Verdict.WARNING, f"{place}: {free >> 20} MiB are free", cure)
    return Finding(topic, Verdict.OK, str(place))


def _programs(environ: Mapping[str, str]) -> list[Finding]:
    """Name the programs that the namespace method calls and that are not installed."""
    where = os.pathsep.join((environ.get("PATH", os.defpath), *_SBIN))
    return [
        Finding(
            "programs",
            Verdict.WARNING,
            f"`{program}` is not installed: the namespace method needs it",
            f"sudo apt-get install {package}",
        )
        for program, package in _PROGRAMS
        if shutil.which(program, path=where) is None
    ]


def _files() -> Finding:
    """Judge whether a Pod's volumes can be mounted; those that cannot are copied."""
    problem = sshfs.problem()
    if problem is None:
        return Finding("files", Verdict.OK, "a Pod's volumes can be mounted here")
    text = f"{problem.reason}: `volumes: mount` copies what it cannot mount"
    return Finding("files", Verdict.WARNING, text, problem.cure)


async def _namespace_method(place: Path) -> Finding:
    problem = await observe.namespace_problem(place)
    if problem is None:
        text = "works here: every program's traffic goes through its Pod, without root"
        return Finding("method: namespace", Verdict.OK, text)
    text = f"{problem.reason}; `method: auto` falls back to none, where nothing is redirected"
    return Finding("method: namespace", Verdict.WARNING, text, problem.cure)
