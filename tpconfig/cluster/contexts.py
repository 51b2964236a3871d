"""The contexts that there are to choose from, without logging in anywhere."""

from __future__ import annotations

from tpconfig.cluster import kubeconfig


def names(path: str | None) -> list[str]:
    """Return the contexts of the kubeconfig, or of all that ``$KUBECONFIG`` names, in order.

    Raises:
        UsageError: there is none, or it is broken.
    """
    found = [
        str(entry["name"])
        for file in kubeconfig.files_of(path) or ()
        for entry in kubeconfig.read(file).get("contexts") or ()
    ]
    return list(dict.fromkeys(found))
