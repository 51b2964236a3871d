"""Kubeconfigs as kubectl reads them, and what is said about those that cannot be read."""

from __future__ import annotations

import base64
import os
import stat
import tempfile
from pathlib import Path

import pytest

from tpconfig.cluster import kubeconfig
from tpconfig.errors import ExitCode, NoPermissionError, UsageError

MINIMAL = """
current-context: dev
contexts:
- {name: dev, context: {cluster: main, user: anna, namespace: shop}}
- {name: prod, context: {cluster: main, user: anna}}
clusters:
- {name: main, cluster: {server: "http://api.example:6443/base/"}}
users:
- {name: anna, user: {token: secret}}
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, proxy or service account of whoever runs the tests."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("KUBE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def write(folder: Path, text: str, name: str = "config") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return str(folder / name)


def replaced(*changes: tuple[str, str]) -> str:
    text = MINIMAL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


async def test_current_context(tmp_path: Path) -> None:
    """Server, context, namespace and token come from the current context."""
    access = await kubeconfig.load(context=None, path=write(tmp_path, MINIMAL))
    assert access.server == "http://api.example:6443/base"
    assert (access.context, access.namespace) == ("dev", "shop")
    assert await access.headers() == {"Authorization": "Bearer secret"}


async def test_chosen_context_without_a_namespace(tmp_path: Path) -> None:
    """--context wins over the current one; the namespace is `default` where none is set."""
    access = await kubeconfig.load(context="prod", path=write(tmp_path, MINIMAL))
    assert (access.context, access.namespace) == ("prod", "default")


async def test_unknown_context_names_the_nearest(tmp_path: Path) -> None:
    """A context that does not exist is answered with the nearest and all there are."""
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context="prd", path=write(tmp_path, MINIMAL))
    assert caught.value.message.startswith("no context prd in the kubeconfig")
    assert caught.value.hint == "did you mean prod? there are: dev, prod"
    assert caught.value.exit_code == ExitCode.USAGE


async def test_no_current_context(tmp_path: Path) -> None:
    """Without a current context, one has to be chosen."""
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(
            context=None, path=write(tmp_path, replaced(("current-context: dev\n", "")))
        )
    assert caught.value.hint == "choose one with --context: dev, prod"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cluster: main, user: anna, name", "cluster: mine, user: anna, name", "no cluster mine"),
        ("cluster: main, user: anna, name", "cluster: main, user: ana, name", "no user ana"),
        ('server: "http://api.example:6443/base/"', "a: b", "main has no `server`"),
    ],
)
async def test_context_that_points_nowhere(tmp_path: Path, old: str, new: str, words: str) -> None:
    """A context whose cluster or user is missing names what is missing."""
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context=None, path=write(tmp_path, replaced((old, new))))
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no kubeconfig: it is empty"),
        ("just words", "is no kubeconfig: it is text"),
        ("a: [", "is no kubeconfig: it is not YAML"),
        ("contexts: {a: b}", "`contexts` is not a list of named contexts"),
        ("users: [{name: a}]", "`users` is not a list of named users"),
        ("\x00", "is no kubeconfig: it is not YAML"),
    ],
)
async def test_broken_file(tmp_path: Path, text: str, words: str) -> None:
    """A file that is no kubeconfig is named, with what is wrong with it."""
    file = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context=None, path=file)
    assert words in caught.value.message
    assert file in caught.value.message


async def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    """Where there is none, the places that were looked at are named."""
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context=None)
    assert str(tmp_path / "home" / ".kube" / "config") in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("by", ["argument", "environment"])
async def test_named_file_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """A file that was asked for and is not there is an error, not a reason to take another."""
    write(tmp_path / "home" / ".kube", MINIMAL)
    path = str(tmp_path / "nope")
    if by == "environment":
        monkeypatch.setenv("KUBECONFIG", path)
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context=None, path=path if by == "argument" else None)
    assert path in caught.value.message


async def test_home_is_the_default(tmp_path: Path) -> None:
    """~/.kube/config is taken where nothing else is named, also when KUBECONFIG is empty."""
    write(tmp_path / "home" / ".kube", MINIMAL)
    assert (await kubeconfig.load(context=None)).context == "dev"


async def test_files_are_merged_and_the_first_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several files the first current context, and the first entry of a name, count."""
    first = write(
        tmp_path / "a",
        """
current-context: mixed
users: [{name: anna, user: {token: first}}]
""",
    )
    second = write(
        tmp_path / "b",
        replaced(
            ("- {name: dev", "- {name: mixed, context: {cluster: main, user: anna}}\n- {name: dev")
        ),
    )
    missing = str(tmp_path / "missing")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((missing, first, second)))
    access = await kubeconfig.load(context=None)
    assert access.context == "mixed"
    assert await access.headers() == {"Authorization": "Bearer first"}


async def test_relative_paths_belong_to_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token file is looked for beside the file that names it, not beside the cluster's."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "token").write_text("from-b\n")
    cluster = write(tmp_path / "a", replaced(("- {name: anna, user: {token: secret}}\n", "")))
    user = write(tmp_path / "b", "users: [{name: anna, user: {tokenFile: token}}]")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((cluster, user)))
    access = await kubeconfig.load(context=None)
    assert await access.headers() == {"Authorization": "Bearer from-b"}


async def test_token_file_wins_and_loses_its_newline(tmp_path: Path) -> None:
    """A token file is what gets renewed, so it counts more than a token."""
    (tmp_path / "token").write_text("fresh\n")
    file = write(tmp_path, replaced(("{token: secret}", "{token: old, tokenFile: token}")))
    access = await kubeconfig.load(context=None, path=file)
    assert await access.headers() == {"Authorization": "Bearer fresh"}


async def test_basic_authentication(tmp_path: Path) -> None:
    """User name and password become a basic authorization."""
    file = write(tmp_path, replaced(("{token: secret}", "{username: a, password: b}")))
    access = await kubeconfig.load(context=None, path=file)
    expected = base64.b64encode(b"a:b").decode()
    assert await access.headers() == {"Authorization": f"Basic {expected}"}


async def test_impersonation_is_passed_on(tmp_path: Path) -> None:
    """`as` is not silently forgotten: that would act as somebody else."""
    file = write(tmp_path, replaced(("{token: secret}", "{token: secret, as: berta}")))
    access = await kubeconfig.load(context=None, path=file)
    assert (await access.headers())["Impersonate-User"] == "berta"


async def test_impersonation_of_groups_is_refused(tmp_path: Path) -> None:
    """What cannot be passed on is refused by name."""
    file = write(tmp_path, replaced(("{token: secret}", "{as: berta, as-groups: [x]}")))
    with pytest.raises(UsageError):
        await kubeconfig.load(context=None, path=file)


async def test_https_without_a_user(tmp_path: Path) -> None:
    """A context without a user is anonymous, over TLS as well."""
    file = write(
        tmp_path, replaced(("http://", "https://"), ("user: anna, namespace", "namespace"))
    )
    access = await kubeconfig.load(context=None, path=file)
    assert await access.headers() == {}


async def test_skipping_verification(tmp_path: Path) -> None:
    """insecure-skip-tls-verify reaches the TLS context, and the server name the requests."""
    options = ", insecure-skip-tls-verify: true, tls-server-name: other.example}"
    file = write(tmp_path, replaced(("http://", "https://"), ('/base/"}', f'/base/"{options}')))
    access = await kubeconfig.load(context=None, path=file)
    assert not access.rest.ssl_context.check_hostname
    assert access.server_name == "other.example"


async def test_missing_certificate_is_named(tmp_path: Path) -> None:
    """A certificate file that is not there is named."""
    file = write(
        tmp_path,
        replaced(("http://", "https://"), ("{token: secret}", "{client-certificate: gone.crt}")),
    )
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context=None, path=file)
    assert "gone.crt" in caught.value.message


async def test_broken_certificate_is_a_usage_error(tmp_path: Path) -> None:
    """Inline data that is no certificate is the kubeconfig's fault, and leaves no file behind."""
    data = base64.b64encode(b"nonsense").decode()
    before = set(os.listdir(tempfile.gettempdir()))
    user = f"{{client-certificate-data: {data}, client-key-data: {data}}}"
    file = write(tmp_path, replaced(("http://", "https://"), ("{token: secret}", user)))
    with pytest.raises(UsageError):
        await kubeconfig.load(context=None, path=file)
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not [
        name
        for name in left
        if (path := Path(tempfile.gettempdir(), name)).is_file()
        and path.read_bytes() == b"nonsense"
    ]


async def test_plugin_gives_a_token(tmp_path: Path) -> None:
    """A credential plugin is run from its kubeconfig's folder, with its environment."""
    plugin(
        tmp_path,
        'printf \'{"apiVersion":"v1x","kind":"ExecCredential","status":{"token":"%s"}}\' "$ANSWER"',
    )
    spec = "{exec: {apiVersion: v1x, command: ./plugin, env: [{name: ANSWER, value: ok}]}}"
    file = write(tmp_path, replaced(("{token: secret}", spec)))
    access = await kubeconfig.load(context=None, path=file)
    assert await access.headers() == {"Authorization": "Bearer ok"}


async def test_plugin_that_fails_is_quoted(tmp_path: Path) -> None:
    """A plugin's complaint is shown, and its failure leaves nobody anonymous."""
    plugin(tmp_path, "echo the session has expired >&2; exit 3")
    spec = "{token: fallback, exec: {apiVersion: v1x, command: ./plugin}}"
    file = write(tmp_path, replaced(("{token: secret}", spec)))
    with pytest.raises(NoPermissionError) as caught:
        await kubeconfig.load(context=None, path=file)
    assert caught.value.message == "the credential plugin ./plugin failed with exit code 3"
    assert caught.value.details == ("the session has expired",)


async def test_missing_plugin_shows_its_install_hint(tmp_path: Path) -> None:
    """A plugin that is not installed is named, with the kubeconfig's own advice."""
    spec = "{exec: {apiVersion: v1x, command: no-such-plugin, installHint: get it from X}}"
    file = write(tmp_path, replaced(("{token: secret}", spec)))
    with pytest.raises(NoPermissionError) as caught:
        await kubeconfig.load(context=None, path=file)
    assert "no-such-plugin" in caught.value.message
    assert caught.value.hint == "get it from X"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("hello", "did not print an ExecCredential"),
        ('{"apiVersion":"v1x","status":{}}', "neither a token nor a certificate"),
        ('{"apiVersion":"v2","status":{"token":"t"}}', "answers as v2"),
        ("[]", "neither a token nor a certificate"),
    ],
)
async def test_plugin_that_prints_something_else(tmp_path: Path, output: str, words: str) -> None:
    """What is no credential is refused with what is wrong with it."""
    plugin(tmp_path, f"echo '{output}'")
    spec = "{exec: {apiVersion: v1x, command: ./plugin}}"
    file = write(tmp_path, replaced(("{token: secret}", spec)))
    with pytest.raises(NoPermissionError) as caught:
        await kubeconfig.load(context=None, path=file)
    assert words in caught.value.message


async def test_plugin_is_told_the_cluster_if_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """provideClusterInfo puts the cluster into the plugin's environment."""
    plugin(
        tmp_path,
        'printf "%s" "$KUBERNETES_EXEC_INFO" > info\n'
        'echo \'{"apiVersion":"v1x","status":{"token":"t"}}\'',
    )
    spec = "{exec: {apiVersion: v1x, command: ./plugin, provideClusterInfo: true}}"
    file = write(tmp_path, replaced(("{token: secret}", spec)))
    monkeypatch.chdir(tmp_path)
    await kubeconfig.load(context=None, path=file)
    assert "http://api.example:6443/base/" in (tmp_path / "info").read_text()


async def test_service_account_of_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Pod without a kubeconfig its service account is asked for."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context=None)
    assert "token file does not exist" in caught.value.message
    with pytest.raises(UsageError) as caught:
        await kubeconfig.load(context="dev")
    assert "only a service account" in caught.value.message


def plugin(folder: Path, script: str) -> None:
    file = folder / "plugin"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
