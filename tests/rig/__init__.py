"""A real Kubernetes for the tests, on a bare machine. README.md says what it is and how it is used.

Only what tests need is named here; the rest of the package is how it is done. Nothing happens at
import: the functions below import what they use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rig.choice import Rig


def ensure_up() -> Rig:
    """Returns a cluster that answers; starts or repairs it first when needed."""
    from tests.rig import choice

    return choice.up()


def kubeconfig() -> Path:
    """The admin's kubeconfig of the cluster that is up."""
    from tests.rig import choice

    return choice.found(choice.choose()).kubeconfig


def image_reference() -> str:
    """The proxy image's name, after it was built and given to the cluster."""
    from tests.rig import choice

    return choice.image()


def kubectl() -> Path:
    """A kubectl that fits the cluster."""
    from tests.rig import choice

    return choice.kubectl()


def probe() -> Path:
    """The static Go client (``probe http URL`` and so on)."""
    from tests.rig import builds

    return builds.probe()


def yamux() -> Path:
    """hashicorp/yamux as a program that serves or asks one session; needs no cluster."""
    from tests.rig import builds

    return builds.yamux()
