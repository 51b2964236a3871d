"""Reading the file in another process: the same comes of it as here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpconfig.errors import ConfigError
from tpconfig.session import loading
from tpconfig.session.ahead import read_ahead
from tpconfig.session.wish import Reload

FILE = """
version: 1
name: demo
workloads:
  web:
    target: deployment/${NAME}
    expose: ["8080:80"]
    env: {set: {LEVEL: debug}}
    run: {command: [python3, -m, http.server]}
"""
ENVIRON = {"NAME": "web", "HOME": "/"}


def test_a_wish_is_what_it_would_be_here(tmp_path: Path) -> None:
    """With our own environment in it, which does not travel."""
    (tmp_path / "telepresence.yaml").write_text(FILE)
    reload = Reload(files=(), folder=str(tmp_path))
    wish, noted = read_ahead(reload, ENVIRON).take()
    assert wish == loading.load(reload, ENVIRON, noted=(here := []))
    assert noted == here
    assert wish.environ is ENVIRON


@pytest.mark.parametrize("text", ["workloads: {web: {target: pod/x}}", "a: [", None])
def test_what_is_wrong_is_said_here(tmp_path: Path, text: str | None) -> None:
    """The error is the one of reading it here."""
    if text is not None:
        (tmp_path / "telepresence.yaml").write_text(text)
    reload = Reload(files=(), folder=str(tmp_path))
    with pytest.raises(ConfigError) as ahead:
        read_ahead(reload, ENVIRON).take()
    with pytest.raises(ConfigError) as here:
        loading.load(reload, ENVIRON)
    assert ahead.value.problems == here.value.problems
