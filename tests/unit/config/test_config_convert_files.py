"""``tp convert FILE``: what files of mirrord become, and what is named as left over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tpconfig.cli.main import tp
from tpconfig.config.convert import draft, files
from tpconfig.errors import ConfigError, UsageError

WEB = {"target": "deployment/web"}
CASES: list[tuple[dict[str, Any], list[str]]] = [
    (WEB, ['target: "deployment/web"', 'mode: "mirror"']),
    (
        {"target": {"path": "deployment/web/container/app", "namespace": "shop"}},
        ['name: "web"', 'container: "app"', 'namespace: "shop"'],
    ),
    (
        {"target": {"path": {"statefulset": "db", "container": "pg"}}},
        ['target: "statefulset/db:pg"'],
    ),
    ({**WEB, "kube_context": "dev"}, ['context: "dev"']),
    ({"target": "pod/web-1"}, ["# * target pod/web-1:"]),
    ({"feature": {}}, ["# * target: a process without a target"]),
    ({**WEB, "agent": {"ephemeral": True}}, ["# * agent.ephemeral: has no key here"]),
    (
        {**WEB, "feature": {"network": {"incoming": "steal"}}},
        ['mode: "swap"', "the original is stopped meanwhile"],
    ),
    ({**WEB, "feature": {"network": {"incoming": False}}}, ['mode: "none"']),
    (
        {
            **WEB,
            "feature": {
                "network": {
                    "incoming": {
                        "mode": "steal",
                        "http_filter": {"header_filter": "x-dev: anna", "ports": [80]},
                        "port_mapping": [[3000, 8080]],
                    }
                }
            },
        },
        [
            'mode: "intercept"',
            'x-dev: "anna"',
            'expose: ["3000:8080"]',
            "incoming.http_filter.ports: has no key here",
        ],
    ),
    (
        {
            **WEB,
            "feature": {
                "network": {
                    "incoming": {"mode": "steal", "http_filter": {"header_filter": "x: a.*"}}
                }
            },
        },
        ['mode: "intercept"', "`x: a.*`: headers match by exact values here"],
    ),
    (
        {
            **WEB,
            "feature": {
                "env": {"override": {"A": 1}, "exclude": "B;C", "include": "D"},
                "fs": {"mode": "local", "read_write": ["/data"]},
            },
        },
        [
            'A: "1"',
            'unset: ["B", "C"]',
            "feature.env.include: has no key here",
            'volumes: "none"',
            "feature.fs.read_write: has no key here",
        ],
    ),
    ({**WEB, "feature": {"fs": "read"}}, ['mode: "mount"', "read_only: true"]),
    (
        {
            "common": {"context": "dev", "operator": True},
            "services": {
                "web": {
                    "target": {"path": "deployment/web", "namespace": "shop"},
                    "http_filter": {"header_filter": "x-dev: anna"},
                    "run": {"command": ["npm", "start"]},
                },
                "api": {
                    **WEB,
                    "default_mode": "replace",
                    "skip": True,
                    "ignore_ports": [9],
                    "run": {"type": "container", "command": ["docker", "run", "x"]},
                },
                "fr.ee": {"target": "none", "run": {"command": ["make"]}},
            },
        },
        [
            'context: "dev"',
            'mode: "intercept"',
            'command: ["npm", "start"]',
            'mode: "swap"',
            'profiles: ["skipped"]',
            "# * common.operator: has no key here",
            "# * services.api.ignore_ports: has no key here",
            "# * services.api.run.type: container",
            "# * services.fr.ee: a process without a target",
        ],
    ),
]


@pytest.mark.parametrize(("data", "lines"), CASES, ids=lambda one: json.dumps(one)[:60])
def test_a_file_becomes_ours(data: dict[str, Any], lines: list[str], tmp_path: Path) -> None:
    """Each key has its place, or is named; what comes out loads."""
    path = tmp_path / "mirrord.json"
    path.write_text(json.dumps(data, indent="\t"), encoding="utf-8")
    text = files.convert([path], [path.name]).text()
    assert [line for line in lines if line not in text] == [], text
    draft.check(text)


def test_yaml_and_toml_are_read_too(tmp_path: Path) -> None:
    """mirrord takes its configuration in three forms."""
    (tmp_path / "m.yaml").write_text("target: deployment/web\n", encoding="utf-8")
    (tmp_path / "m.toml").write_text('target = "deployment/web"\n', encoding="utf-8")
    yaml, toml = (files.convert([tmp_path / name], [name]).data for name in ("m.yaml", "m.toml"))
    assert yaml == toml


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", "just: this\n", "no file that tp convert understands"),
        ("docker-compose.yml", "services: {web: {image: x}}\n", "no file that tp convert"),
        ("a.json", "[1]", "no file that tp convert understands"),
        ("a.json", '{"target": ', "not YAML"),
        ("a.toml", "target = ", "is no TOML"),
        ("a.json", '{"target": "deployment/web/x"}', "no target of mirrord"),
        ("a.yaml", "services: {a: {target: none}, b: 1}\n", "services.b is no mapping"),
    ],
)
def test_another_file_is_refused(name: str, content: str, message: str, tmp_path: Path) -> None:
    """What is not understood is said, and nothing is printed."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises((UsageError, ConfigError), match=message):
        files.convert([tmp_path / name], [name])


def test_the_command_takes_a_file(tmp_path: Path) -> None:
    """The file goes to standard output, what could not be carried over to standard error too."""
    path = tmp_path / "mirrord.json"
    path.write_text(json.dumps({**WEB, "agent": {"log_level": "info"}}), encoding="utf-8")
    done = CliRunner().invoke(tp, ["convert", str(path)])
    assert done.exit_code == 0, done.stderr
    assert 'target: "deployment/web"' in done.stdout
    assert "note: agent.log_level: has no key here" in done.stderr
    assert CliRunner().invoke(tp, ["convert", str(tmp_path / "gone.json")]).exit_code == 2
