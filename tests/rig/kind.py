"""A cluster in containers, for machines that have a container engine and kind.

The images are built from Dockerfiles there, since such a machine may be no Linux: the same names,
the same contents in all that tests look at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.rig import images, proxy_image
from tests.rig.failure import RigError
from tests.rig.places import CHECKOUT, SOURCES, Places, locked
from tests.rig.steps import run, step

CLUSTER = "tp-rig"
BASE_RECIPE = """\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-uvloop haproxy \
    openssh-sftp-server iproute2 procps socat && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/usr/bin/python3"]
"""
DEMO_RECIPE = f"""\
FROM {images.BASE}
COPY demo.py /app/demo.py
ENTRYPOINT ["/usr/bin/python3", "-u", "/app/demo.py"]
"""


def engine() -> str | None:
    """The container engine that answers: docker or podman."""
    for name in ("docker", "podman"):
        if shutil.which(name) is None:
            continue
        try:
            said = subprocess.run([name, "info"], capture_output=True, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            continue
        if said.returncode == 0:
            return name
    return None


def refusal() -> str:
    """Why kind cannot be used here; empty when it can."""
    if shutil.which("kind") is None:
        return "kind is not on the PATH"
    if engine() is None:
        return "neither docker nor podman answers"
    return ""


def up(rig: Places) -> None:
    """Creates the cluster unless it is there, and loads the images."""
    with locked("kind"):
        rig.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (rig.state / "checkout").write_text(str(rig.checkout))
        if CLUSTER not in _kind("get", "clusters").split():
            with step("create the kind cluster"):
                _kind("create", "cluster", "--name", CLUSTER, "--wait", "180s")
            shutil.rmtree(rig.state / "loaded", ignore_errors=True)
        rig.kubeconfig.touch(mode=0o600)
        rig.kubeconfig.write_text(_kind("get", "kubeconfig", "--name", CLUSTER))
        _stock(rig)


def down(rig: Places) -> None:
    """Deletes the cluster and this checkout's folder."""
    with locked("kind"), step("delete the kind cluster"):
        _kind("delete", "cluster", "--name", CLUSTER)
        shutil.rmtree(rig.state, ignore_errors=True)


def status(rig: Places) -> dict[str, object]:
    """Whether the cluster is there."""
    there = CLUSTER in _kind("get", "clusters").split()
    return {"kind": "kind", "healthy": there, "kubeconfig": str(rig.kubeconfig)}


def load_proxy_image(rig: Places) -> str:
    """Builds ``proxy-image/Dockerfile`` from the rig's base and loads it."""
    reference = proxy_image.reference_of(images.BASE)
    with tempfile.TemporaryDirectory() as folder:
        context = proxy_image.context(Path(folder))
        _load(rig, reference, context, CHECKOUT / "proxy-image" / "Dockerfile")
    return reference


def _stock(rig: Places) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(SOURCES / "app" / "demo.py", folder / "demo.py")
        for reference, recipe in ((images.BASE, BASE_RECIPE), (images.DEMO, DEMO_RECIPE)):
            (folder / "Dockerfile").write_text(recipe)
            _load(rig, reference, folder, folder / "Dockerfile")


def _load(rig: Places, reference: str, context: Path, recipe: Path) -> None:
    tool = engine()
    if tool is None:
        raise RigError("neither docker nor podman answers")
    words: list[str | Path] = [
        tool,
        "build",
        "-q",
        "-f",
        recipe,
        "--build-arg",
        f"BASE={images.BASE}",
    ]
    identity = run([*words, "-t", reference, context], timeout_s=900).strip()
    note = rig.state / "loaded" / reference.replace("/", "_")
    if note.exists() and note.read_text() == identity:
        return
    with step(f"load {reference}"), tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        run([tool, "save", "-o", archive, reference], timeout_s=300)
        _kind("load", "image-archive", str(archive), "--name", CLUSTER)
    note.parent.mkdir(exist_ok=True)
    note.write_text(identity)


def _kind(*words: str) -> str:
    env = dict(os.environ)
    if engine() == "podman":
        env["KIND_EXPERIMENTAL_PROVIDER"] = "podman"
    return run(["kind", *words], env=env, timeout_s=600)
