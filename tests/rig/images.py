"""The images that tests run, and how they get into containerd."""

from __future__ import annotations

from pathlib import Path

from tests.rig import builds, debian, oci
from tests.rig.places import SOURCES, Places
from tests.rig.steps import run

PAUSE = "localhost/pause:1"
COREDNS = "localhost/coredns:1"
BASE = "localhost/base:1"
DEMO = "localhost/demo:1"


def stock() -> Path:
    """One archive with pause, CoreDNS, base and demo."""
    layer = debian.base_layer()
    sources = {
        "pause": builds.pause(),
        "usr/bin/coredns": builds.coredns(),
        "app/demo.py": SOURCES / "app" / "demo.py",
    }
    recipe = (SOURCES / "images.py").read_bytes() + (SOURCES / "oci.py").read_bytes()
    inputs = [recipe, str(layer).encode(), *(str(path).encode() for path in sources.values())]
    inputs.append(sources["app/demo.py"].read_bytes())

    def build(draft: Path) -> None:
        small = {
            name: oci.layer(draft / f"{Path(name).name}.layer", {name: path})
            for name, path in sources.items()
        }
        python = ("/usr/bin/python3",)
        images = (
            oci.Image(PAUSE, (small["pause"],), ("/pause",), user="65535:65535"),
            oci.Image(COREDNS, (small["usr/bin/coredns"],), ("/usr/bin/coredns",)),
            oci.Image(BASE, (layer,), python),
            oci.Image(DEMO, (layer, small["app/demo.py"]), (*python, "-u", "/app/demo.py")),
        )
        oci.archive(draft / "images.tar", images)
        for path in small.values():
            path.unlink()

    return builds.artifact("images", inputs, build) / "images.tar"


def base_archive() -> Path:
    """The base image alone, for the builder of the proxy image."""
    layer = debian.base_layer()

    def build(draft: Path) -> None:
        oci.archive(draft / "base.tar", (oci.Image(BASE, (layer,), ("/usr/bin/python3",)),))

    recipe = (SOURCES / "oci.py").read_bytes()
    return builds.artifact("base-image", [recipe, str(layer).encode()], build) / "base.tar"


def load(rig: Places, archive: Path) -> None:
    """Imports an archive into the rig's containerd; a no-op for one that it has."""
    note = rig.state / "loaded" / archive.parent.name
    if note.exists():
        return
    run(
        ["ctr", "-a", rig.containerd, "-n", "k8s.io", "images", "import", archive],
        timeout_s=300,
    )
    note.parent.mkdir(exist_ok=True)
    note.touch()
