"""What is said to the container engine and to kind, by programs that write it down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rig import choice, kind
from tests.rig.failure import RigError
from tests.rig.places import Places

DOCKER = 'case "$1" in build) echo sha256:1;; esac'
KIND = """case "$*" in
  "get clusters") cat "$SAID.clusters" 2> /dev/null || true;;
  "create cluster"*) echo tp-rig > "$SAID.clusters";;
  "get kubeconfig"*) echo '{}';;
esac"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with every call, one a line."""
    log = tmp_path / "said"
    for name, body in (("docker", DOCKER), ("kind", KIND)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> "$SAID"\n{body}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("SAID", str(log))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TP_TEST_KUBECONFIG", raising=False)
    return log


def test_kind_comes_before_the_bare_rig(said: Path) -> None:
    """Where an engine and kind are there, nothing is built by hand."""
    assert choice.choose() == "kind"


def test_up_creates_one_cluster_and_loads_each_image_once(said: Path, tmp_path: Path) -> None:
    """A second ``up`` creates and loads nothing."""
    rig = Places(tmp_path, tmp_path / "state")
    kind.up(rig)
    kind.up(rig)
    calls = said.read_text().splitlines()
    assert sum(call.startswith("kind create cluster --name tp-rig") for call in calls) == 1
    assert sum(call.startswith("kind load image-archive") for call in calls) == 2
    assert rig.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_the_proxy_image_is_built_from_the_real_dockerfile(said: Path, tmp_path: Path) -> None:
    """On top of the same base as in the bare rig."""
    reference = kind.load_proxy_image(Places(tmp_path, tmp_path))
    built = next(line for line in said.read_text().splitlines() if " build " in line)
    assert "proxy-image/Dockerfile --build-arg BASE=localhost/base:1" in built
    assert reference in built


def test_a_given_cluster_comes_first(said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is found by its file, or the error names the variable."""
    monkeypatch.setenv("TP_TEST_KUBECONFIG", "/none/such")
    assert choice.choose() == "given"
    with pytest.raises(RigError, match="TP_TEST_KUBECONFIG"):
        choice.found("given")


def test_no_cluster_is_one_line_that_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All three ways are named."""
    monkeypatch.delenv("TP_TEST_KUBECONFIG", raising=False)
    monkeypatch.setenv("PATH", "/none")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RigError, match=r"TP_TEST_KUBECONFIG.*kind.*root") as caught:
        choice.choose()
    assert "\n" not in str(caught.value)
