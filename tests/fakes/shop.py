"""A small shop on a fake cluster, and what of it is as before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.fake_apiserver import FakeApiServer
from tpconfig.names import LABEL_ROLE

VOLATILE = ("resourceVersion", "generation", "managedFields")


@dataclass
class Shop:
    """Namespaces with Deployments, on a fake API server."""

    fake: FakeApiServer
    kubeconfig: str

    def exact(self) -> dict[str, Any]:
        """Return every Deployment and Service but ours, without what *exactly* exempts."""
        found = {}
        for kind in ("deployment", "service"):
            for one in self.fake.store.list(kind):
                if LABEL_ROLE in (one["metadata"].get("labels") or {}):
                    continue
                for key in VOLATILE:
                    one["metadata"].pop(key, None)
                one.pop("status", None)
                found[kind, one["metadata"]["namespace"], one["metadata"]["name"]] = one
        return found

    def ours(self) -> list[str]:
        """Name every object that carries a label of ours."""
        return [
            f"{item['kind']}/{item['metadata']['name']}"
            for item in self.fake.store.objects.values()
            if any("tpconfig.dev/" in key for key in item["metadata"].get("labels") or {})
        ]
