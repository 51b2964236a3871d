"""Which cluster the tests get: a given one, kind's, or the bare rig."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.rig import bare, builds, kind, proxy_image
from tests.rig.failure import RigError
from tests.rig.places import Places, places
from tests.rig.steps import run

Kind = Literal["given", "kind", "bare"]


@dataclass(frozen=True, slots=True)
class Rig:
    """A cluster that answers."""

    kind: Kind
    kubeconfig: Path
    context: str | None
    places: Places

    @property
    def audit(self) -> Path | None:
        """The API server's audit log; only the bare rig has one."""
        return self.places.audit if self.kind == "bare" else None


def choose() -> Kind:
    """The kind of cluster for this machine; RigError says what is missing for each."""
    if os.environ.get("TP_TEST_KUBECONFIG"):
        return "given"
    missing_kind = kind.refusal()
    if not missing_kind:
        return "kind"
    missing_bare = bare.refusal()
    if not missing_bare:
        return "bare"
    raise RigError(
        f"no cluster for the tests: TP_TEST_KUBECONFIG is not set; {missing_kind}; {missing_bare}"
    )


def up() -> Rig:
    """Makes the chosen cluster answer; what already runs stays."""
    chosen = choose()
    if chosen == "kind":
        kind.up(places())
    elif chosen == "bare":
        bare.up(places())
    return found(chosen)


def found(chosen: Kind) -> Rig:
    """The chosen cluster, taken to be up."""
    rig = places()
    if chosen == "given":
        path = Path(os.environ["TP_TEST_KUBECONFIG"]).expanduser()
        if not path.is_file():
            raise RigError(f"TP_TEST_KUBECONFIG: {path} is no file")
        return Rig("given", path, os.environ.get("TP_TEST_CONTEXT") or None, rig)
    if not rig.kubeconfig.is_file():
        raise RigError("this checkout has no rig; start one: python -m tests.rig up")
    return Rig(chosen, rig.kubeconfig, None, rig)


def down() -> None:
    """Removes the cluster; a given one is not ours to remove."""
    chosen = choose()
    if chosen == "kind":
        kind.down(places())
    elif chosen == "bare":
        bare.down(places())


def status() -> dict[str, object]:
    """What runs."""
    chosen = choose()
    if chosen == "bare":
        return bare.status(places())
    if chosen == "kind":
        return kind.status(places())
    return {"kind": "given", "kubeconfig": str(found("given").kubeconfig)}


def image() -> str:
    """Builds the proxy image, gives it to the cluster, and returns its reference."""
    chosen = choose()
    if chosen == "given":
        reference = os.environ.get("TP_TEST_IMAGE", "")
        if not reference:
            raise RigError("a given cluster needs TP_TEST_IMAGE: an image that it can pull")
        return reference
    if chosen == "kind":
        return kind.load_proxy_image(places())
    return proxy_image.load(found("bare").places)


def kubectl() -> Path:
    """A kubectl: the machine's own, or for the bare rig the one that it was built with."""
    if choose() == "bare":
        return builds.kubernetes() / "kubectl"
    own = shutil.which("kubectl")
    if own is None:
        raise RigError("kubectl is not on the PATH")
    return Path(own)


def kubeconfig_as_json(path: Path) -> str:
    """A kubeconfig as JSON whatever it was written in; ours already is."""
    text = path.read_text()
    if text.lstrip().startswith("{"):
        return text
    words = [str(kubectl()), "--kubeconfig", str(path), "config", "view", "--raw", "-o", "json"]
    return run(words)
