"""``tp convert FILE...``: what compose files with ``x-tele`` become, and what is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tpconfig.cli.main import tp
from tpconfig.config.convert import draft, files
from tpconfig.errors import UsageError

Case = tuple[dict[str, Any], dict[str, Any], list[str]]


def one(extension: dict[str, Any], **service: Any) -> dict[str, Any]:
    """Return a file of one service with a command."""
    return {"services": {"web": {"command": "x", **service, "x-tele": extension}}}


WEB = {"target": "deployment/web", "run": {"command": "x"}}
CASES: list[Case] = [
    (one({"type": "replace"}), {"web": WEB}, []),
    (
        one({"type": "replace", "name": "shop", "container": "app", "ports": ["3000:8080", 53]}),
        {"web": {**WEB, "target": "deployment/shop:app", "expose": ["3000:8080", "53"]}},
        [],
    ),
    (
        one({"type": "intercept", "name": "mine", "workload": "shop", "service": "s"}),
        {"web": {**WEB, "target": "deployment/shop", "mode": "swap"}},
        ["intercept became `mode: swap`", "ports on the right are the container's"],
    ),
    (
        one({"type": "ingest", "to-pod": [8910, "9000/TCP", "53/udp", "1:2"]}),
        {"web": {**WEB, "mode": "none", "pod_localhost": [8910, 9000]}},
        ["to-pod: `53/udp`", "to-pod: `1:2`"],
    ),
    (
        one({"type": "wiretap"}),
        {"web": {**WEB, "mode": "mirror", "volumes": {"mode": "mount", "read_only": True}}},
        ["ports on the right are the container's"],
    ),
    (one({"type": "connect"}), {}, ["start it with `tp run WORKLOAD --`"]),
    (
        one({"type": "replace", "ports": ["x:y:z"], "odd": 1}, networks=["n"], cap_add=["X"]),
        {"web": WEB},
        ["ports: `x:y:z`:", "x-tele.odd: has no key", "networks: is about", "cap_add: has no key"],
    ),
    (
        one({"type": "replace"}, environment=["A=$B and ${C:-d}$$", "MINE", "E=${F?no}"]),
        {"web": {**WEB, "env": {"set": {"A": "${B} and ${C:-d}$$", "E": "${F:?no}"}}}},
        ["${F?no} also counts where F is empty"],
    ),
    (
        one({"type": "replace"}, environment={"A": 1, "B": True, "C": None}, profiles=["p"]),
        {"web": {**WEB, "profiles": ["p"], "env": {"set": {"A": "1", "B": "true"}}}},
        [],
    ),
    (
        one(
            {"type": "replace"},
            entrypoint=["sh", "-c"],
            command=["echo $$1"],
            build={"context": "./a"},
            restart="on-failure:3",
            stop_signal="SIGINT",
            stop_grace_period="1m",
            healthcheck={"test": ["CMD-SHELL", "curl x"], "start_period": "30s", "retries": 3},
        ),
        {
            "web": {
                "target": "deployment/web",
                "run": {
                    "command": ["sh", "-c", "echo $$1"],
                    "cwd": "./a",
                    "restart": "on-failure",
                    "stop": {"signal": "SIGINT", "timeout": "1m"},
                    "ready": {"exec": "curl x", "timeout": "30s"},
                },
            }
        },
        ["healthcheck.retries: has no key"],
    ),
]


def converted(tmp_path: Path, *documents: Any) -> draft.Draft:
    """Convert some files, and see that the result loads."""
    paths = [tmp_path / f"{number}.yaml" for number, _ in enumerate(documents)]
    for path, data in zip(paths, documents, strict=True):
        path.write_text(json.dumps(data), encoding="utf-8")
    found = files.convert(paths, [path.name for path in paths])
    draft.check(found.text())
    return found


@pytest.mark.parametrize(("data", "workloads", "notes"), CASES, ids=lambda it: json.dumps(it)[:60])
def test_a_service_becomes_a_workload(
    data: dict[str, Any], workloads: dict[str, Any], notes: list[str], tmp_path: Path
) -> None:
    """Each key has its place, or is named, and nothing else is."""
    found = converted(tmp_path, data)
    assert found.data.get("workloads", {}) == workloads
    assert [note for note in notes if not any(note in line for line in found.notes)] == []
    assert len(found.notes) == len(notes), found.notes


def test_connections_are_namespaces(tmp_path: Path) -> None:
    """The first one's is the file's, another's is its targets'; what needs no key is said."""
    found = converted(
        tmp_path,
        {
            "name": "shop",
            "x-tele": {
                "connections": [
                    {"name": "a", "namespace": "ns-a", "never-proxy": ["10.0.0.0/8"]},
                    {"name": "b", "namespace": "ns-b", "also-proxy": ["10.1.0.0/16"]},
                ],
                "mounts": [{"volume": "v", "policy": "remote"}],
            },
            "services": {
                "one": {"command": "x", "x-tele": {"type": "replace", "connection": "a"}},
                "two": {"command": "x", "x-tele": {"type": "replace", "connection": "b"}},
                "far": {
                    "image": "x",
                    "ports": ["8082:8080", "9000", "odd"],
                    "x-tele": {"type": "proxy", "connection": "b", "ports": ["8080:80"]},
                },
                "db": {"image": "postgres"},
            },
        },
    )
    data = found.data
    assert (data["name"], data["cluster"]) == ("shop", {"namespace": "ns-a"})
    assert data["outbound"] == {"machine": ["10.0.0.0/8"]}
    assert data["workloads"]["one"]["target"] == "deployment/one"
    assert data["workloads"]["two"]["target"]["namespace"] == "ns-b"
    assert data["forwards"] == ["8082:far.ns-b:80", "9000:far.ns-b:9000"]
    text = "\n".join(found.notes)
    for said in (
        "also-proxy: not",
        "x-tele.mounts",
        "ports: `odd`",
        "`services.db`: without",
    ):
        assert said in text


def test_later_files_lie_over_earlier_ones(tmp_path: Path) -> None:
    """As compose merges: mappings key by key, the extension may come from the override alone."""
    plain = {"services": {"web": {"command": "x", "environment": {"A": "1", "B": "1"}}}}
    over = {"services": {"web": {"x-tele": {"type": "replace"}, "environment": {"B": "2"}}}}
    workload = converted(tmp_path, plain, over).data["workloads"]["web"]
    assert workload == {**WEB, "env": {"set": {"A": "1", "B": "2"}}}


def test_only_who_is_started_is_waited_for(tmp_path: Path) -> None:
    """depends_on keeps what the file starts, and names the rest."""
    found = converted(
        tmp_path,
        {
            "services": {
                "a": {"command": "x", "x-tele": {"type": "replace"}, "depends_on": ["b", "c"]},
                "b": {"command": "x", "x-tele": {"type": "replace"}},
                "c": {"image": "x"},
            }
        },
    )
    assert found.data["workloads"]["a"]["run"]["depends_on"] == ["b"]
    assert "services.a.depends_on: c is not started from this file" in found.notes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (one({"type": "teleport"}), "`teleport` is not known"),
        (one({"type": "replace", "connection": "x"}), "no connection `x`"),
        ({"x-tele": {}, "services": {"web": 1}}, "services.web is no mapping"),
        ({"x-tele": 1}, "x-tele is no mapping"),
    ],
)
def test_what_is_wrong_is_said(data: dict[str, Any], message: str, tmp_path: Path) -> None:
    """What telepresence would not take is refused, with its place."""
    with pytest.raises(UsageError, match=message):
        converted(tmp_path, data)


def test_other_tools_take_one_file(tmp_path: Path) -> None:
    """Only compose knows files that lie over each other."""
    with pytest.raises(UsageError, match="only files of compose"):
        converted(tmp_path, {"target": "deployment/web"}, {"target": "deployment/web"})


def test_the_command_takes_several_files(tmp_path: Path) -> None:
    """The notes go to standard error, too."""
    for name, data in (("a", {"services": {}}), ("b", one({"type": "connect"}))):
        (tmp_path / name).write_text(json.dumps(data))
    done = CliRunner().invoke(tp, ["convert", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0, done.stderr
    assert "note: services.web: is only connected" in done.stderr
