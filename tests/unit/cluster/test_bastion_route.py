"""Which machines lie on the way to a bastion, and which of their keys are right."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tpconfig.cluster.bastion import knownhosts, route
from tpconfig.cluster.bastion.refusal import BastionError
from tpconfig.model.desired import Bastion
from tpconfig.session.wish import Reload

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC1K5wM2fxnsVH1LG3YLDiN1J5zaW2YxLk7fpqWt1B2X"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC1K5wM2fxnsVH1LG3YLDiN1J5zaW2YxLk7fpqWt1B2Y"


class Ssh:
    """Answers as ``ssh -G`` would, and keeps what it was asked."""

    def __init__(self, **hosts: Mapping[str, str]) -> None:
        self.hosts = hosts
        self.asked: list[list[str]] = []

    def __call__(self, arguments: list[str]) -> route.Settings:
        self.asked.append(arguments)
        said = {"hostname": arguments[-1], "user": "me", "port": "22"}
        for flag, key in (("-l", "user"), ("-p", "port")):
            if flag in arguments:
                said[key] = arguments[arguments.index(flag) + 1]
        said |= self.hosts.get(arguments[-1], {})
        return {key: (value,) for key, value in said.items()}


def way(bastion: Bastion, ssh: Ssh) -> list[str]:
    """Return the hops as text."""
    return [str(hop) for hop in route.find(bastion, ask=ssh)]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ({}, ["me@jump"]),
        ({"jump": {"proxyjump": "none"}}, ["me@jump"]),
        ({"jump": {"proxyjump": "a"}}, ["me@a", "me@jump"]),
        ({"jump": {"proxyjump": "bob@a:2222,c"}}, ["bob@a:2222", "me@c", "me@jump"]),
        ({"jump": {"proxyjump": "ssh://bob@[::1]:23"}}, ["bob@::1:23", "me@jump"]),
        ({"jump": {"proxyjump": "a"}, "a": {"proxyjump": "b"}}, ["me@b", "me@a", "me@jump"]),
        (
            {"jump": {"proxyjump": "a,c"}, "c": {"proxyjump": "b"}},
            ["me@a", "me@c", "me@jump"],
        ),
        ({"jump": {"hostname": "10.0.0.1", "port": "2200"}}, ["me@10.0.0.1:2200"]),
    ],
)
def test_jumps(hosts: Mapping[str, Mapping[str, str]], expected: list[str]) -> None:
    """ProxyJump leads over other hosts, in order; a list takes the place of their own."""
    assert way(Bastion("jump"), Ssh(**hosts)) == expected


def test_jumps_that_never_end_are_refused() -> None:
    """A ProxyJump that leads back to itself is said to."""
    with pytest.raises(BastionError, match="more than 8 jumps"):
        way(Bastion("a"), Ssh(a={"proxyjump": "b"}, b={"proxyjump": "a"}))


def test_the_file_comes_before_ssh_config(tmp_path: Path) -> None:
    """User, port, key and config of the file are given to ssh, which then says the rest."""
    identity = tmp_path / "id"
    identity.write_text("")
    ssh = Ssh()
    bastion = Bastion("jump", 2222, "anna", str(identity), config="/p/ssh_config")
    assert way(bastion, ssh) == ["anna@jump:2222"]
    words = ["-F", "/p/ssh_config", "-l", "anna", "-p", "2222", "-i", str(identity), "--", "jump"]
    assert ssh.asked == [words]


def test_tokens_are_put_in() -> None:
    """%h, %p, %r, %n and %% of a ProxyCommand are what they are to ssh."""
    ssh = Ssh(jump={"hostname": "h.example", "proxycommand": "nc %h %p %r %n 100%%"})
    (hop,) = route.find(Bastion("jump"), ask=ssh)
    assert hop.proxy_command == "nc h.example 22 me jump 100%"


def test_a_pinned_key_is_the_bastions_alone() -> None:
    """Hosts on the way are checked by known_hosts."""
    ssh = Ssh(jump={"proxyjump": "a"})
    first, last = route.find(Bastion("jump", host_key=KEY), ask=ssh)
    assert (first.host_key, last.host_key) == (None, KEY)


@pytest.mark.parametrize(
    ("said", "asked", "accepts"),
    [
        ("ask", "known", False),
        ("yes", "known", False),
        ("accept-new", "known", True),
        ("no", "known", True),
        ("ask", "accept-new", True),
    ],
)
def test_new_keys_are_taken_only_when_asked(said: str, asked: str, accepts: bool) -> None:
    """By the file, or by ssh_config's StrictHostKeyChecking."""
    ssh = Ssh(jump={"stricthostkeychecking": said})
    (hop,) = route.find(Bastion("jump", host_key=asked), ask=ssh)
    assert hop.accept_new is accepts


@pytest.mark.parametrize(
    ("hosts", "name", "expected"),
    [
        ("jump.example.com", "jump.example.com", True),
        ("jump.example.com", "JUMP.example.com", True),
        ("other,jump", "jump", True),
        ("*.example.com", "jump.example.com", True),
        ("*.example.com,!jump.example.com", "jump.example.com", False),
        ("!jump.example.com,*.example.com", "jump.example.com", False),
        ("jump", "[jump]:2222", False),
        ("[jump]:2222", "[jump]:2222", True),
        ("[jum]:2222", "j:2222", False),
        ("|1|x|y", "jump", False),
        ("|1|", "jump", False),
    ],
)
def test_names_of_known_hosts(hosts: str, name: str, expected: bool) -> None:
    """Patterns, negation and ports are OpenSSH's; brackets are no sets."""
    assert knownhosts.matches(hosts, name) is expected


def test_what_is_remembered_is_known(tmp_path: Path) -> None:
    """A key that was written down, hashed or not, is found by its host alone, by ssh as well."""
    key = knownhosts.parse(KEY)
    assert key is not None
    for hashed in (True, False):
        file = str(tmp_path / f"ssh-{hashed}" / "known_hosts")
        knownhosts.remember(file, "[jump]:2222", key, hashed=hashed)
        (found,) = knownhosts.read([file, "/nowhere"], "[jump]:2222").right
        assert (found.blob, found.place) == (key.blob, f"{file}:1")
        assert knownhosts.read([file], "jump").right == ()
        assert ("jump" in Path(file).read_text()) is not hashed
        subprocess.run(["ssh-keygen", "-F", "[jump]:2222", "-f", file], check=True)


def test_lines_that_are_no_keys_are_left_out() -> None:
    """Comments, unknown markers and broken keys say nothing; @revoked does."""
    lines = ["# jump", "", "jump", f"jump ssh-rsa {KEY.split()[1]}", "jump ssh-ed25519 %%%"]
    lines += [f"@cert-authority jump {OTHER}", f"@revoked jump {OTHER}", f"jump {KEY} anna"]
    known = knownhosts.known_of(lines, "jump")
    assert [one.place for one in known.right] == ["known_hosts:8"]
    assert [one.place for one in known.revoked] == ["known_hosts:7"]
    assert known.right[0].text == KEY


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (None, Bastion("of-the-file")),
        ("none", None),
        ("jump", Bastion("jump")),
        ("anna@jump.example.com:2222", Bastion("jump.example.com", 2222, "anna")),
        ("[::1]:22", Bastion("::1", 22)),
    ],
)
def test_the_command_line_comes_before_the_file(
    option: str | None, expected: Bastion | None
) -> None:
    """--bastion names another one, or none."""
    reload = Reload((), "/src", bastion=option)
    assert reload.over(Bastion("of-the-file")) == expected


@pytest.mark.parametrize("option", ["-oProxyCommand=x", "a b", "jump:0", "@jump", "jump:port"])
def test_what_names_no_machine_is_refused(option: str) -> None:
    """Nothing that ssh would take for an option gets to it."""
    with pytest.raises(Exception, match="names no machine"):
        Reload((), "/src", bastion=option).over(None)
