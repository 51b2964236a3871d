"""What a process's environment is made of."""

from __future__ import annotations

import os

import pytest

from tpconfig.local.environment import (
    Changes,
    PodEnvironment,
    Whereabouts,
    additions,
    process_environment,
)

HERE = Whereabouts(workload="api", pod="api-tp-x", container="app")
OURS = {
    "TP_WORKLOAD": "api",
    "TP_POD": "api-tp-x",
    "TP_CONTAINER": "app",
    "TP_MOUNTS": "",
    "TELEPRESENCE_POD": "api-tp-x",
    "TELEPRESENCE_CONTAINER": "app",
    "TELEPRESENCE_MOUNTS": "",
}

NO_CHANGES = Changes()


def added(
    values: dict[str, str], changes: Changes = NO_CHANGES, **options: object
) -> dict[str, str]:
    """The additions without those that describe the workload."""
    result = additions(PodEnvironment(values, **options), HERE, changes)  # type: ignore[arg-type]
    return {key: value for key, value in result.items() if key not in OURS}


@pytest.mark.parametrize("key", ["HOME", "PATH", "HOSTNAME", "SHELL", "TERM", "USER", "LANG"])
def test_facts_about_the_machine_stay_local(key: str) -> None:
    """The Pod's value of these is not handed over, not even when its spec names the key."""
    assert added({key: "pod"}, spec_keys={key}) == {}


@pytest.mark.parametrize("key", ["PYTHON_VERSION", "GPG_KEY", "PYTHONUNBUFFERED", "LC_CTYPE"])
def test_the_agents_image_is_left_out_unless_the_spec_names_the_key(key: str) -> None:
    """What only the agent's image sets is not the Pod's; what its spec sets is."""
    assert added({key: "x"}) == {}
    assert added({key: "x"}, spec_keys={key}) == {key: "x"}


def test_a_statefulsets_hostname_is_the_pods() -> None:
    """Where the identity is the name, HOSTNAME is handed over."""
    assert added({"HOSTNAME": "db-0"}, takes_hostname=True) == {"HOSTNAME": "db-0"}


def test_our_own_settings_are_never_handed_over() -> None:
    """The agent's settings and the session's secret stay where they are."""
    assert added({"TPCONFIG_SECRET": "x", "TPCONFIG_AGENT": "{}", "A": "1"}) == {"A": "1"}


def test_values_stay_byte_exact() -> None:
    """Several lines, odd bytes, empty: all as they came."""
    values = {"PEM": "-----\nx\n\n", "ODD": os.fsdecode(b"\xff\xfe"), "EMPTY": ""}
    assert added(values) == dict(sorted(values.items()))


def test_the_file_sets_then_unsets() -> None:
    """set wins over the Pod, unset over set; globs match whole names, case and all."""
    changes = Changes(set=(("A", "file"), ("OTEL_NEW", "x")), unset=("OTEL_*", "b"))
    assert added({"A": "pod", "B": "1", "OTEL_URL": "y"}, changes) == {"A": "file", "B": "1"}


def test_the_file_may_set_what_else_stays_local() -> None:
    """set gives even HOME or the name of a workload."""
    changes = Changes(set=(("HOME", "/tmp"), ("TP_POD", "mine")))
    result = additions(PodEnvironment({}), HERE, changes)
    assert (result["HOME"], result["TP_POD"]) == ("/tmp", "mine")


def test_whereabouts_have_both_names() -> None:
    """The workload is described under TP_ and, where Telepresence had it, TELEPRESENCE_."""
    assert additions(PodEnvironment({}), HERE) == dict(sorted(OURS.items()))


def test_root_and_mounts_are_said_when_there_are_files() -> None:
    """TP_ROOT and TP_MOUNTS (colon-separated) tell where the Pod's files are."""
    where = Whereabouts("api", "p", "c", root="/state/files", mounts=("/data", "/etc/x"))
    result = additions(PodEnvironment({}), where)
    assert {result["TP_ROOT"], result["TELEPRESENCE_ROOT"]} == {"/state/files"}
    assert {result["TP_MOUNTS"], result["TELEPRESENCE_MOUNTS"]} == {"/data:/etc/x"}


def test_the_pods_win_over_the_developers() -> None:
    """Of a name in both the Pod's value counts; the developer's others stay."""
    base = {"A": "mine", "EDITOR": "vi"}
    assert process_environment(base, {"A": "pod"}) == {"A": "pod", "EDITOR": "vi"}


@pytest.mark.parametrize("key", ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "no_proxy"])
def test_the_developers_proxy_is_dropped(key: str) -> None:
    """A proxy of the developer's network is not kept; the Pod's or the file's is."""
    assert process_environment({key: "http://corp"}, {}) == {}
    assert process_environment({key: "http://corp"}, {key: "http://pod"}) == {key: "http://pod"}


def test_unset_takes_the_developers_too() -> None:
    """unset removes a name from wherever it came."""
    changes = Changes(unset=("AWS_*",))
    assert process_environment({"AWS_PROFILE": "x", "B": "1"}, {}, changes) == {"B": "1"}
