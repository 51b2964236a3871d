"""What is valid and has no engine yet is refused with its line, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpconfig.config import codes, shape, unsupported
from tpconfig.config.load import load
from tpconfig.errors import Problem

WORKLOAD = "version: 1\nworkloads:\n  a:\n    target: deployment/a\n    "


def check(tmp_path: Path, text: str) -> list[Problem]:
    """Return what this version cannot do of a file."""
    (tmp_path / "tp.yaml").write_text(text)
    return unsupported.check(load(cwd=tmp_path, environ={}))


SUPPORTED = """\
version: 1
name: shop
cluster:
  context: dev
  namespace: shop
  image: {name: python:3.13-slim, python: /usr/local/bin/python3}
  image_pull_secrets: [a]
  protected: [prod*]
session: {ttl: 30s, reconnect: 5m, on_conflict: wait, janitor: required, linger: 0s}
method: namespace
outbound: {default: machine, machine: [a.b], pod: ["*.svc"]}
workloads:
  a:
    target: deployment/a:web
    profiles: [x]
    mode: swap
    strategy: auto
    init: run
    pod_localhost: []
    expose: [80, 53:53/udp, {local: 1, cluster: http, protocol: tcp, wait: 2s}]
    env: {set: {A: b}, unset: [C], export: [{path: x.env, format: json, keep: true}]}
    volumes: none
    run:
      command: x
      cwd: .
      ready: {timeout: 5s, port: 1, http: "http://localhost/", exec: x, log: x}
      restart: always
      watch: [src]
      pre: [x]
      build: x
      post: [x]
      stop: {signal: SIGINT, timeout: 5s}
      tty: false
      depends_on: [b]
  b: {target: {kind: deploy, name: b, namespace: other}, mode: none, strategy: overlap, expose: []}
"""


def test_what_has_an_engine_is_not_refused(tmp_path: Path) -> None:
    """A file of everything that this version can do has no problem."""
    assert check(tmp_path, SUPPORTED) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("version: 1\nmethod: vpn-tcp", "method: vpn"),
        ("version: 1\nmethod: container", "method: container"),
        ("version: 1\nsession: {linger: 1m30s}", "session.linger: 1m30s"),
        (f"{WORKLOAD}mode: mirror", "workloads.a.mode: mirror"),
        (f"{WORKLOAD}run: {{command: x, tty: true}}", "workloads.a.run.tty: true"),
    ],
)
def test_what_has_no_engine_is_refused_by_name(text: str, key: str, tmp_path: Path) -> None:
    """A key or word without an engine is named with its line."""
    (problem,) = check(tmp_path, text)
    assert problem.code == codes.NO_ENGINE
    assert problem.message.startswith(f"`{key}` cannot")
    assert problem.source is not None
    assert problem.source.line == text.count("\n") + 1


def test_a_match_is_refused_once(tmp_path: Path) -> None:
    """A section without an engine is one problem, however much it says."""
    found = check(
        tmp_path, f"{WORKLOAD}mode: intercept\n    match: {{headers: {{a: b, c: d}}, path: /}}"
    )
    assert [problem.message.split("`")[1] for problem in found] == [
        "workloads.a.mode: intercept",
        "workloads.a.match",
    ]


@pytest.mark.parametrize("key", unsupported.ENGINES)
def test_every_row_of_the_table_is_a_key(key: str) -> None:
    """The table names keys that the models know, and words that they take."""
    path = tuple(0 if part == "*" and n > 1 else part for n, part in enumerate(key.split(".")))
    assert shape.annotation_at(path) is not None
    words = {word for word in unsupported.ENGINES[key] if isinstance(word, str)}
    assert words <= {*(shape.choices_at(path) or words)}
