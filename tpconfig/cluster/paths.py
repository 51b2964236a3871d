"""Where the API server keeps each kind: pure text, so that plans and messages can name resources.

Only the kinds that ``tp`` touches are known; everything else is a mistake of ours and a KeyError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True)
class Resource:
    """How the API server calls one kind; ``group`` is empty for the core group."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``deployments.apps``, as messages of the API server write it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_KINDS: Final = (
    Resource("", "v1", "ConfigMap", "configmaps"),
    Resource("", "v1", "Endpoints", "endpoints"),
    Resource("", "v1", "Event", "events"),
    Resource("", "v1", "LimitRange", "limitranges"),
    Resource("", "v1", "Namespace", "namespaces", namespaced=False),
    Resource("", "v1", "Node", "nodes", namespaced=False),
    Resource("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False),
    Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Resource("", "v1", "Pod", "pods"),
    Resource("", "v1", "ResourceQuota", "resourcequotas"),
    Resource("", "v1", "Secret", "secrets"),
    Resource("", "v1", "Service", "services"),
    Resource("", "v1", "ServiceAccount", "serviceaccounts"),
    Resource(
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        namespaced=False,
    ),
    Resource(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        namespaced=False,
    ),
    Resource("apps", "v1", "DaemonSet", "daemonsets"),
    Resource("apps", "v1", "Deployment", "deployments"),
    Resource("apps", "v1", "ReplicaSet", "replicasets"),
    Resource("apps", "v1", "StatefulSet", "statefulsets"),
    Resource("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False),
    Resource(
        "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False
    ),
    Resource(
        "authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", False
    ),
    Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Resource("batch", "v1", "CronJob", "cronjobs"),
    Resource("batch", "v1", "Job", "jobs"),
    Resource("coordination.k8s.io", "v1", "Lease", "leases"),
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    Resource("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Resource("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
    Resource("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    Resource("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Resource("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
)

RESOURCES: Final[Mapping[str, Resource]] = {entry.kind.lower(): entry for entry in _KINDS}
"""By lower-case kind, the word that a Target uses."""


@dataclass(frozen=True, slots=True)
class Location:
    """What a path points at; the opposite of ``path_of``."""

    group: str
    resource: str
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None

    def __str__(self) -> str:
        text = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{text}/{self.subresource}" if self.subresource else text


def resource_of(kind: str) -> Resource:
    """Return how the API server calls ``kind``, which may be ``Deployment`` or ``deployment``."""
    return RESOURCES[kind.lower()]


def path_of(
    kind: str,
    namespace: str | None = None,
    name: str | None = None,
    subresource: str | None = None,
) -> str:
    """Return the path of a collection, of one object, or of a part of one object.

    ``namespace`` is None for every namespace; kinds that live in none ignore it.
    """
    resource = resource_of(kind)
    root = f"/apis/{resource.group}" if resource.group else "/api"
    parts = [root, resource.version]
    if resource.namespaced and namespace is not None:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(resource.plural)
    if name is not None:
        parts.append(quote(name, safe=""))
    if subresource is not None:
        parts.append(subresource)
    return "/".join(parts)


def locate(path: str) -> Location | None:
    """Return what ``path`` points at, or None where it is no path of a resource (``/version``)."""
    parts = [unquote(part) for part in path.split("?", 1)[0].strip("/").split("/")]
    match parts:
        case ["api", _, *rest]:
            group = ""
        case ["apis", group, _, *rest]:
            pass
        case _:
            return None
    namespace: str | None = None
    # /namespaces/X is an object, /namespaces/X/finalize a part of it; deeper is inside of it.
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return None
    name = rest[1] if len(rest) > 1 else None
    return Location(group, rest[0], namespace, name, "/".join(rest[2:]) or None)


def collection_of(path: str) -> tuple[str, str]:
    """Split the path of one object into its collection's path and its name."""
    collection, _, name = path.rstrip("/").rpartition("/")
    return collection, unquote(name)
