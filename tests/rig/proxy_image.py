"""Builds the real ``proxy-image/Dockerfile`` and gives it to the cluster.

buildah needs neither a daemon nor a registry here: vfs storage, chroot isolation, and a BASE that
already has what the Dockerfile would install.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tests.rig import builds, images
from tests.rig.places import CHECKOUT, Places, cache_root, locked
from tests.rig.steps import run, step

DOCKERFILE = CHECKOUT / "proxy-image" / "Dockerfile"
SINGLE = ("__init__.py", "names.py")
PACKAGES = ("mux", "agent")
_PLACEHOLDER = '"""Stands in until the agent is written."""\nimport time\ntime.sleep(1e9)\n'


def inputs(base: str) -> list[bytes]:
    """Everything that the image is built from; ``base`` names the image below it."""
    code = CHECKOUT / "tpconfig"
    parts = [DOCKERFILE.read_bytes(), base.encode()]
    parts += [(code / name).read_bytes() for name in SINGLE if (code / name).exists()]
    for package in PACKAGES:
        parts += [package.encode(), *builds.contents(code / package, "*.py")]
    return parts


def reference_of(base: str) -> str:
    """The image's name; another content is another name, so no node runs an old one."""
    return f"localhost/tp-proxy:{_tag(inputs(base))}"


def _base() -> str:
    return images.base_archive().parent.name


def _tag(parts: list[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def context(folder: Path) -> Path:
    """Copies what the Dockerfile copies, and nothing else, into ``folder``."""
    code = CHECKOUT / "tpconfig"
    target = folder / "tpconfig"
    target.mkdir(parents=True)
    for name in SINGLE:
        if (code / name).exists():
            shutil.copy(code / name, target / name)
        else:
            (target / name).write_text("")
    for package in PACKAGES:
        if (code / package).is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(code / package, target / package, ignore=skipped)
        else:
            (target / package).mkdir()
            (target / package / "__init__.py").write_text("")
            (target / package / "__main__.py").write_text(_PLACEHOLDER)
    return folder


def archive() -> Path:
    """The finished image as an OCI archive."""
    parts = inputs(_base())

    def build(draft: Path) -> None:
        with locked("buildah"):
            _build(context(draft / "context"), draft / "image.tar", _tag(parts))
        shutil.rmtree(draft / "context")

    return builds.artifact("proxy-image", parts, build) / "image.tar"


def _build(folder: Path, target: Path, tag: str) -> None:
    base = images.base_archive()
    storage = cache_root() / f"buildah-{base.parent.name}"
    policy = storage / "policy.json"
    if not policy.exists():
        shutil.rmtree(storage, ignore_errors=True)
        storage.mkdir(parents=True)
    buildah: list[str | Path] = ["buildah", "--storage-driver", "vfs", "--root", storage / "root"]
    buildah += ["--runroot", storage / "run"]
    if not policy.exists():
        with step("base image into buildah"):
            run([*buildah, "pull", "-q", f"oci-archive:{base}"], timeout_s=300)
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    name = f"localhost/tp-proxy:{tag}"
    words: list[str | Path] = [*buildah, "bud", "-q", "--isolation", "chroot", "--pull-never"]
    words += ["--build-arg", f"BASE={images.BASE}", "-f", DOCKERFILE, "-t", name, folder]
    run(words, timeout_s=300)
    run([*buildah, "push", "-q", "-D", name, f"oci-archive:{target}:{name}"], timeout_s=300)
    run([*buildah, "rmi", "-f", name])


def load(rig: Places) -> str:
    """Builds and imports the image; returns its reference."""
    name = reference_of(_base())
    images.load(rig, archive())
    return name
