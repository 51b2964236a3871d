"""What is used of the kubernetes package, imported without the rest of it.

``import kubernetes`` costs 420 ms because its ``__init__`` imports seven packages that nobody here
touches; they are made lazy while it is imported. The client, for which the loader of kubeconfigs
imports pydantic, and which it would need in two functions that nobody here calls, is left out.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Final

__all__ = [
    "ConfigException",
    "Configuration",
    "RESTClientObject",
    "kube_config",
    "load_incluster_config",
]

_UNTOUCHED: Final = frozenset(
    f"{package}.{name}"
    for package in ("kubernetes", "kubernetes.aio")
    for name in (
        *("client", "config", "dynamic", "informer"),
        *("leaderelection", "stream", "utils", "watch"),
    )
)


_CLIENT: Final = "kubernetes.aio.client.api_client"


class _NoClient(importlib.abc.Loader):
    """Stands in for the module of the client while others import its name."""

    def exec_module(self, module: ModuleType) -> None:
        module.ApiClient = None  # type: ignore[attr-defined]


class _Lazily(importlib.abc.MetaPathFinder):
    """Finds the packages that ``kubernetes`` imports eagerly, to be run at their first use."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == _CLIENT:
            return importlib.machinery.ModuleSpec(fullname, _NoClient())
        if fullname not in _UNTOUCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


@contextmanager
def _lazy_packages() -> Iterator[None]:
    finder = _Lazily()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if sys.modules.pop(_CLIENT, None) is not None:  # whoever asks from now on gets the real one
            vars(sys.modules["kubernetes.aio.client"]).pop("ApiClient", None)


with _lazy_packages():
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.client.rest import RESTClientObject
    from kubernetes.aio.config import kube_config
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.incluster_config import load_incluster_config
