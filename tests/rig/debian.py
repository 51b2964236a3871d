"""What the rig takes from Debian: packages of this machine, and the base image's file system."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.rig.builds import artifact
from tests.rig.failure import RigError
from tests.rig.steps import run, step

SUITE = "bookworm"
PUBLIC_MIRROR = "http://deb.debian.org/debian"
INCLUDED = "python3,python3-uvloop,haproxy,openssh-sftp-server,iproute2,procps,socat"
PACKAGES = {
    "buildah": "buildah",
    "cc": "gcc libc6-dev",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "ipset": "ipset",
    "iptables": "iptables",
    "nft": "nftables",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "runc": "runc",
    "socat": "socat",
}
UNWANTED = (
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
)
CNI_PLUGINS = Path("/usr/lib/cni")


def install() -> None:
    """Installs what is missing; asks the package manager nothing when all is there."""
    missing = [names for tool, names in PACKAGES.items() if shutil.which(tool) is None]
    if not (CNI_PLUGINS / "bridge").exists():
        missing.append("containernetworking-plugins")
    if not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        missing.append("debian-archive-keyring")
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise RigError("the bare rig needs apt-get, or these packages: " + " ".join(missing))
    wanted = " ".join(missing).split()
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with step("install " + " ".join(wanted)):
        run(["apt-get", "update", "-q"], env=env, timeout_s=300)
        words = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *wanted]
        run(words, env=env, timeout_s=900)


def mirror() -> str:
    """Where this machine gets ``SUITE`` from, by its own apt sources; else the public one."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)"]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^(\S+?)/? {SUITE} main$", said, re.MULTILINE)
    return found.group(1) if found else PUBLIC_MIRROR


def base_layer() -> Path:
    """The base image's one layer: a small Debian with Python, HAProxy and sftp-server."""

    def build(draft: Path) -> None:
        root = draft / "root"
        words: list[str | Path] = [
            "debootstrap",
            "--variant=minbase",
            f"--include={INCLUDED}",
            SUITE,
            root,
        ]
        try:
            run([*words, mirror()], timeout_s=900)
        except RigError as error:
            raise RigError(str(error), log=root / "debootstrap" / "debootstrap.log") from error
        for unwanted in UNWANTED:
            shutil.rmtree(root / unwanted, ignore_errors=True)
            (root / unwanted).mkdir()
        shutil.rmtree(root / "dev")
        (root / "dev").mkdir()
        with tarfile.open(draft / "layer.tar", "w") as tar:
            tar.add(root, arcname=".")
        shutil.rmtree(root)

    inputs = [word.encode() for word in (SUITE, INCLUDED, *UNWANTED)]
    return artifact("base", inputs, build) / "layer.tar"
