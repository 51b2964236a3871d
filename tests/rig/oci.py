"""Container images without a builder: an OCI archive is a tar of four kinds of JSON and layers.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

_TYPE = "application/vnd.oci.image."
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Image:
    """What an image is made of; the layers are plain tars, the lowest first."""

    reference: str
    layers: tuple[Path, ...]
    entrypoint: tuple[str, ...]
    env: tuple[str, ...] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    user: str = ""
    labels: dict[str, str] = field(default_factory=dict)


@functools.cache
def sha256(path: Path) -> str:
    """The hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def layer(target: Path, files: dict[str, Path]) -> Path:
    """Writes a layer of single files, each with mode 0755 and owned by root; byte for byte equal
    for equal files, so that a second build is the same image."""
    with tarfile.open(target, "w") as tar:
        for name, source in sorted(files.items()):
            for parent in reversed(Path(name).parents[:-1]):
                folder = tarfile.TarInfo(str(parent))
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as stream:
                tar.addfile(entry, stream)
    return target


def archive(target: Path, images: tuple[Image, ...]) -> Path:
    """Writes one OCI archive with all ``images``; a layer that two of them share is in it once."""
    written: set[str] = set()
    with tarfile.open(target, "w") as tar:
        entries = [_add_image(tar, image, written) for image in images]
        index = {"schemaVersion": 2, "mediaType": _TYPE + "index.v1+json", "manifests": entries}
        _add_bytes(tar, "index.json", json.dumps(index).encode())
        _add_bytes(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    return target


def _add_image(tar: tarfile.TarFile, image: Image, written: set[str]) -> dict[str, object]:
    layers = []
    for path in image.layers:
        digest = sha256(path)
        if digest not in written:
            tar.add(path, arcname=f"blobs/sha256/{digest}")
            written.add(digest)
        layers.append(_descriptor("layer.v1.tar", digest, path.stat().st_size))
    config = {
        "architecture": ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": list(image.env),
            "User": image.user,
            "Labels": image.labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [str(one["digest"]) for one in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _TYPE + "manifest.v1+json",
        "config": _add_json(tar, "config.v1+json", config, written),
        "layers": layers,
    }
    entry = _add_json(tar, "manifest.v1+json", manifest, written)
    short = image.reference.rpartition(":")[2]
    names = {
        "io.containerd.image.name": image.reference,
        "org.opencontainers.image.ref.name": short,
    }
    return entry | {"annotations": names}


def _add_json(
    tar: tarfile.TarFile, kind: str, value: object, written: set[str]
) -> dict[str, object]:
    blob = json.dumps(value, sort_keys=True).encode()
    digest = hashlib.sha256(blob).hexdigest()
    if digest not in written:
        _add_bytes(tar, f"blobs/sha256/{digest}", blob)
        written.add(digest)
    return _descriptor(kind, digest, len(blob))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": _TYPE + kind, "digest": f"sha256:{digest}", "size": size}


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
