"""A small shop on a fake cluster, and what of it is as before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.fake_apiserver import FakeApiServer
from tests.fakes.fake_store import copied
from tpconfig.names import LABEL_ROLE

VOLATILE = ("resourceVersion", "generation", "managedFields")
PASSING = ("pods", "endpointslices.discovery.k8s.io")


@dataclass
class Shop:
    """Namespaces with workloads, on a fake API server."""

    fake: FakeApiServer
    kubeconfig: str

    def exact(self) -> dict[str, Any]:
        """Return every object but ours, without what *exactly* exempts.

        Pods, EndpointSlices and what else a controller makes come and go.
        """
        found = {}
        for (kind, namespace, name), item in copied(self.fake.store.objects).items():
            metadata = item["metadata"]
            owners = metadata.get("ownerReferences") or ()
            if LABEL_ROLE in (metadata.get("labels") or {}) or kind in PASSING:
                continue
            if any(owner.get("controller") for owner in owners):
                continue
            for key in VOLATILE:
                metadata.pop(key, None)
            item.pop("status", None)
            found[kind, namespace, name] = item
        return found

    def ours(self) -> list[str]:
        """Name every object that carries a label of ours."""
        return [
            f"{item['kind']}/{item['metadata']['name']}"
            for item in self.fake.store.objects.values()
            if any("tpconfig.dev/" in key for key in item["metadata"].get("labels") or {})
        ]
