"""Which proxy stands in between, as kubectl would choose it."""

from __future__ import annotations

import os

import pytest

from tpconfig.cluster import proxy
from tpconfig.errors import UsageError


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def test_no_proxy_at_all() -> None:
    """Nothing is set: none."""
    assert proxy.choose("https://api.example:6443", None) is None


def test_context_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """proxy-url is taken before HTTPS_PROXY."""
    monkeypatch.setenv("HTTPS_PROXY", "http://env:1")
    assert proxy.choose("https://api.example:6443", "http://mine:2") == "http://mine:2"
    assert proxy.choose("https://api.example:6443", None) == "http://env:1"


@pytest.mark.parametrize(
    ("server", "exempt", "expected"),
    [
        ("https://api.example:6443", "api.example", None),
        ("https://api.example:6443", ".example", None),
        ("https://api.example:6443", "*", None),
        ("https://api.example:6443", "other", "http://env:1"),
        ("https://10.1.2.3:6443", "10.0.0.0/8", None),
        ("https://10.1.2.3:6443", "192.168.0.0/16, 10.1.2.3", None),
        ("https://11.1.2.3:6443", "10.0.0.0/8", "http://env:1"),
        ("https://[fd00::1]:6443", "fd00::/8", None),
        ("https://127.0.0.1:6443", "", None),
        ("https://localhost:6443", "", None),
    ],
)
def test_exceptions(
    monkeypatch: pytest.MonkeyPatch, server: str, exempt: str, expected: str | None
) -> None:
    """NO_PROXY knows names, suffixes and networks; loopback never goes through a proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://env:1")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert proxy.choose(server, None) == expected


def test_scheme_chooses_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY is for https servers only."""
    monkeypatch.setenv("HTTPS_PROXY", "http://env:1")
    assert proxy.choose("http://api.example:8080", None) is None


def test_socks_is_refused_by_name() -> None:
    """A SOCKS proxy does not work and is named, without its password."""
    with pytest.raises(UsageError) as caught:
        proxy.choose("https://api.example", "socks5://user:pass@bastion:1080")
    assert "socks5://bastion:1080" in caught.value.message
    assert "pass" not in caught.value.message
