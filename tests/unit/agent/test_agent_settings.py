"""What the agent takes from its environment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tpconfig.agent.settings import SettingsError, take

GIVEN: dict[str, Any] = {
    "session": "abc",
    "version": "0.1.0",
    "link_port": 17600,
    "probe_port": 17601,
}


def environment(secret: str = "00ff" * 16, **changes: Any) -> dict[str, str]:
    """Return an environment with settings."""
    given = {key: value for key, value in {**GIVEN, **changes}.items() if value is not None}
    return {"PATH": "/bin", "TPCONFIG_AGENT": json.dumps(given), "TPCONFIG_SECRET": secret}


def test_what_is_given_is_taken_out() -> None:
    """Nothing that the agent starts or hands over sees settings or secret."""
    environ = environment()
    settings = take(environ)
    assert environ == {"PATH": "/bin"}
    assert settings.secret == b"\x00\xff" * 16
    assert (settings.session, settings.link_port, settings.probe_port) == ("abc", 17600, 17601)


def test_the_rest_has_defaults() -> None:
    """In a Pod nothing else has to be said."""
    settings = take(environment())
    assert settings.resolv_conf == "/etc/resolv.conf"
    assert settings.termination_log == "/dev/termination-log"
    assert settings.drain_s == 5.0


def test_unknown_settings_are_ignored() -> None:
    """A newer client may say more; the handshake compares versions."""
    assert take(environment(shiny="yes")).session == "abc"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"session": None}, "session is missing"),
        ({"link_port": 0}, "link_port cannot be 0"),
        ({"link_port": 65536}, "link_port cannot be 65536"),
        ({"probe_port": "80"}, "probe_port cannot be '80'"),
        ({"probe_port": True}, "probe_port cannot be True"),
        ({"drain_s": -1}, "drain_s cannot be -1"),
        ({"version": 1}, "version cannot be 1"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], said: str) -> None:
    """The message names the setting and its value."""
    with pytest.raises(SettingsError, match=said):
        take(environment(**changes))


@pytest.mark.parametrize("secret", ["", "xyz", "abc"])
def test_a_wrong_secret_is_not_repeated(secret: str) -> None:
    """A secret that cannot be read is said to be so, without its text."""
    with pytest.raises(SettingsError, match="not a secret") as caught:
        take(environment(secret=secret))
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("name", ["TPCONFIG_AGENT", "TPCONFIG_SECRET"])
def test_a_missing_variable_is_named(name: str) -> None:
    """The message says which variable is missing."""
    environ = environment()
    del environ[name]
    with pytest.raises(SettingsError, match=name):
        take(environ)


@pytest.mark.parametrize("text", ["{", "[]", "1"])
def test_what_is_no_json_object(text: str) -> None:
    """Settings are one JSON object."""
    with pytest.raises(SettingsError, match="not"):
        take({"TPCONFIG_AGENT": text, "TPCONFIG_SECRET": "00"})
