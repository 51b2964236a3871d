"""Why the namespace method does not work on a machine, and the command that cures it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_INSTALL: Final = {
    "ip-missing": ("ip", "iproute2", "iproute"),
    "nft-missing": ("nft", "nftables", "nftables"),
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is missing, in one line, and what to do about it."""

    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What a keeper says when it cannot set up: which step, the words and the errno of it."""

    stage: str
    text: str
    number: int = 0


def diagnose(failure: Failure, *, proc_sys: Path = Path("/proc/sys")) -> Diagnosis:
    """Explain a keeper's failure, with the help of the kernel's settings."""
    if failure.stage in _INSTALL:
        return _missing_program(failure.stage)
    if failure.stage == "user-namespace":
        return _no_user_namespace(failure, proc_sys)
    if failure.stage == "network-namespace":
        return Diagnosis(
            f"no network namespace can be made here: {failure.text}",
            "run tp outside of the container, or give it the SYS_ADMIN capability",
        )
    if failure.stage in ("ip", "nft"):
        return _no_rules(failure, proc_sys)
    if failure.stage == "mounts":
        return Diagnosis(
            f"files cannot be covered for the processes: {failure.text}",
            "set TP_STATE_DIR to a folder on a local disk, or use `method: none`",
        )
    return Diagnosis(
        f"the keeper of the processes failed: {failure.text}",
        "this is a bug in tp: please report it with this text",
    )


def _missing_program(stage: str) -> Diagnosis:
    program, debian, fedora = _INSTALL[stage]
    return Diagnosis(
        f"the program `{program}` is not installed",
        f"sudo apt-get install {debian}   (Fedora: sudo dnf install {fedora})",
    )


def _no_user_namespace(failure: Failure, proc_sys: Path) -> Diagnosis:
    if _setting(proc_sys / "kernel/apparmor_restrict_unprivileged_userns") not in (None, "0"):
        return Diagnosis(
            "AppArmor restricts unprivileged user namespaces on this machine",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    if _setting(proc_sys / "kernel/unprivileged_userns_clone") == "0":
        return Diagnosis(
            "unprivileged user namespaces are switched off on this machine",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        )
    if _setting(proc_sys / "user/max_user_namespaces") == "0":
        return Diagnosis(
            "this machine allows no user namespaces",
            "sudo sysctl -w user.max_user_namespaces=15000",
        )
    if failure.number in (errno.ENOSPC, errno.EUSERS):
        return Diagnosis(
            "there are as many user namespaces as this machine allows, or as deep",
            "end what holds them, or: sudo sysctl -w user.max_user_namespaces=15000",
        )
    return Diagnosis(
        f"no user namespace can be made here: {failure.text}",
        "in a container: run it with `--security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined`, or use `method: none`",
    )


def _no_rules(failure: Failure, proc_sys: Path) -> Diagnosis:
    if _setting(proc_sys / "kernel/apparmor_restrict_unprivileged_userns") not in (None, "0"):
        return _no_user_namespace(failure, proc_sys)
    what = "routes" if failure.stage == "ip" else "redirection"
    line = failure.text.splitlines()[0] if failure.text else "no reason given"
    return Diagnosis(
        f"the kernel refuses the {what}: {line}",
        "sudo modprobe -a nf_tables nft_tproxy nf_tproxy_ipv4, or use `method: none`",
    )


def _setting(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
