"""Why the namespace method does not work, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tpconfig.local.diagnosis import Failure, diagnose

EPERM = Failure("user-namespace", "unshare: Operation not permitted", errno.EPERM)

CASES = [
    (
        EPERM,
        {"kernel/apparmor_restrict_unprivileged_userns": "1"},
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        Failure("ip", "RTNETLINK answers: Operation not permitted"),
        {"kernel/apparmor_restrict_unprivileged_userns": "1"},
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        EPERM,
        {
            "kernel/apparmor_restrict_unprivileged_userns": "0",
            "kernel/unprivileged_userns_clone": "0",
        },
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (EPERM, {"user/max_user_namespaces": "0"}, "sudo sysctl -w user.max_user_namespaces=15000"),
    (EPERM, {}, "seccomp=unconfined"),
    (Failure("user-namespace", "no space", errno.ENOSPC), {}, "max_user_namespaces"),
    (Failure("network-namespace", "not permitted"), {}, "SYS_ADMIN"),
    (Failure("nft-missing", "nft is not installed"), {}, "apt-get install nftables"),
    (Failure("ip-missing", "ip is not installed"), {}, "apt-get install iproute2"),
    (Failure("nft", "Error: Could not process rule\nmore"), {}, "modprobe"),
    (Failure("mounts", "Permission denied (/home/x)"), {}, "TP_STATE_DIR"),
    (Failure("surprise", "?"), {}, "report"),
]


@pytest.mark.parametrize(("failure", "settings", "cure"), CASES)
def test_each_failure_has_its_cure(
    failure: Failure, settings: dict[str, str], cure: str, tmp_path: Path
) -> None:
    """The kernel's settings decide which command is named."""
    for name, value in settings.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")
    assert cure in diagnose(failure, proc_sys=tmp_path).cure


def test_a_reason_is_one_line() -> None:
    """However much nft says, the reason stays one line."""
    assert "\n" not in diagnose(Failure("nft", "Error: x\n  y\n    ^")).reason
