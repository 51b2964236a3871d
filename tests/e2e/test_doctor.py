"""``tp doctor``: what it finds, and how it says it."""

from __future__ import annotations

import json

import pytest

from tests.e2e import accounts, objects
from tests.e2e.place import Place


def test_all_is_well(place: Place) -> None:
    """Everything is examined, nothing is wrong, and nothing was changed."""
    place.apply(objects.deployment("web"))
    place.write({"web": objects.swap(3000)})
    before = place.contents()
    found = [json.loads(line) for line in place.ok("doctor", "--json").splitlines()]
    assert {one["verdict"] for one in found} == {"ok"}, found
    assert {"method: namespace", "file", "server", "admission", "permissions", "image"} <= {
        one["topic"] for one in found
    }
    assert place.contents() == before
    place.nothing_left()


def test_who_may_only_look(place: Place) -> None:
    """The missing verbs are named, and what could not be examined is said to be so."""
    kubeconfig = accounts.with_stock_role(place, "view")
    done = place.tp("doctor", "--kubeconfig", kubeconfig, "-n", place.namespace)
    assert done.returncode == 1, done.stderr
    assert "✗ permissions" in done.stdout
    assert "patch deployments.apps" in done.stdout
    assert "? admission" in done.stdout
    assert "! file" in done.stdout


def test_who_may_not_create_roles(place: Place) -> None:
    """A session comes up all the same: it is a warning, with what an administrator can do."""
    kubeconfig = accounts.with_stock_role(place, "edit")
    done = place.tp("doctor", "--kubeconfig", kubeconfig, "-n", place.namespace)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "! permissions       no janitor of one's own" in done.stdout
    assert "tp rbac --janitor" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--context", "nowhere"], "no context nowhere"),
        (["-n", "nowhere"], "there is no namespace nowhere"),
    ],
)
def test_what_is_not_there(place: Place, options: list[str], words: str) -> None:
    """It is a finding like any other, with its cure, and the exit code is 1."""
    done = place.tp("doctor", *options)
    assert done.returncode == 1, done.stderr
    assert words in done.stdout
    assert "→" in done.stdout.partition(words)[2]
