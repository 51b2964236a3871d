"""The images that the rig makes itself."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from tests.rig import oci


def _read(archive: Path, name: str) -> Any:
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return json.load(stream)


def _layer(folder: Path, name: str) -> Path:
    source = folder / name
    source.write_text(name)
    return oci.layer(folder / f"{name}.tar", {f"app/{name}": source})


def test_equal_files_make_an_equal_layer(tmp_path: Path) -> None:
    """A second build of the same image has the same digest."""
    source = tmp_path / "file"
    source.write_text("same")
    first = oci.layer(tmp_path / "first.tar", {"a/file": source})
    source.touch()
    second = oci.layer(tmp_path / "second.tar", {"a/file": source})
    assert first.read_bytes() == second.read_bytes()


def test_a_shared_layer_is_stored_once(tmp_path: Path) -> None:
    """Two images on one base do not carry the base twice."""
    base, more = _layer(tmp_path, "base"), _layer(tmp_path, "more")
    images = (oci.Image("l/a:1", (base,), ("/a",)), oci.Image("l/b:1", (base, more), ("/b",)))
    with tarfile.open(oci.archive(tmp_path / "x.tar", images)) as tar:
        names = tar.getnames()
    assert len(names) == len(set(names))
    assert f"blobs/sha256/{oci.sha256(base)}" in names


def test_the_manifest_names_its_layers_in_order(tmp_path: Path) -> None:
    """The lowest layer comes first, in the manifest and in the configuration."""
    layers = (_layer(tmp_path, "low"), _layer(tmp_path, "high"))
    archive = oci.archive(tmp_path / "x.tar", (oci.Image("l/a:1", layers, ("/a",)),))
    entry = _read(archive, "index.json")["manifests"][0]
    manifest = _read(archive, "blobs/sha256/" + entry["digest"].removeprefix("sha256:"))
    wanted = [f"sha256:{oci.sha256(path)}" for path in layers]
    assert entry["annotations"]["io.containerd.image.name"] == "l/a:1"
    assert [one["digest"] for one in manifest["layers"]] == wanted
