"""Paths of the API server, both ways."""

from __future__ import annotations

import pytest

from tpconfig.cluster.paths import RESOURCES, Location, collection_of, locate, path_of, resource_of

PATHS = {
    ("pod", "dev", None, None): "/api/v1/namespaces/dev/pods",
    ("Pod", "dev", "p", "portforward"): "/api/v1/namespaces/dev/pods/p/portforward",
    ("pod", None, None, None): "/api/v1/pods",
    ("namespace", None, "dev", None): "/api/v1/namespaces/dev",
    ("namespace", "ignored", None, None): "/api/v1/namespaces",
    ("deployment", "dev", "web", "status"): "/apis/apps/v1/namespaces/dev/deployments/web/status",
    ("lease", "dev", "l", None): "/apis/coordination.k8s.io/v1/namespaces/dev/leases/l",
    ("cronjob", "dev", "c", None): "/apis/batch/v1/namespaces/dev/cronjobs/c",
    ("horizontalpodautoscaler", "d", None, None): (
        "/apis/autoscaling/v2/namespaces/d/horizontalpodautoscalers"
    ),
    ("selfsubjectreview", None, None, None): "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    ("role", "dev", "system:odd/name", None): (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/dev/roles/system%3Aodd%2Fname"
    ),
}


@pytest.mark.parametrize(("arguments", "path"), PATHS.items())
def test_path_of_kind(arguments: tuple[str, str | None, str | None, str | None], path: str) -> None:
    """Each kind has the path that the API server gives it."""
    assert path_of(*arguments) == path


@pytest.mark.parametrize(("arguments", "path"), PATHS.items())
def test_locate_is_the_opposite(
    arguments: tuple[str, str | None, str | None, str | None], path: str
) -> None:
    """What a path was made of can be read from it."""
    kind, namespace, name, subresource = arguments
    resource = resource_of(kind)
    namespace = namespace if resource.namespaced else None
    expected = Location(resource.group, resource.plural, namespace, name, subresource)
    assert locate(path) == expected


@pytest.mark.parametrize("path", ["/version", "/api", "/api/v1", "/apis/apps/v1", "/"])
def test_other_paths_are_no_resources(path: str) -> None:
    """A path that is no resource is located nowhere."""
    assert locate(path) is None


def test_locations_read_as_rbac_writes_them() -> None:
    """A location names group and part."""
    assert str(locate(path_of("pod", "d", "p", "log"))) == "pods/log"
    assert str(locate(path_of("deployment", "d"))) == "deployments.apps"


def test_status_of_a_namespace_is_not_inside_it() -> None:
    """The part of a namespace object is told from what lives in a namespace."""
    assert locate("/api/v1/namespaces/dev/status") == Location(
        "", "namespaces", None, "dev", "status"
    )


def test_collection_and_name() -> None:
    """An object's path splits into its collection's path and its name."""
    assert collection_of(path_of("role", "d", "a:b")) == (path_of("role", "d"), "a:b")


def test_unknown_kind_is_a_mistake_of_ours() -> None:
    """A kind that nobody planned for is a KeyError."""
    with pytest.raises(KeyError):
        path_of("widget", "dev")


def test_every_kind_is_found_by_its_lower_case_name() -> None:
    """The table's keys are the kinds in lower case."""
    assert all(key == resource.kind.lower() for key, resource in RESOURCES.items())
