"""``tp convert``: what a command line of Telepresence 1 becomes, as a table."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from tpconfig.cli.main import tp
from tpconfig.config import load
from tpconfig.config.convert import draft, telepresence1
from tpconfig.errors import ConfigError, UsageError

CASES = {
    "-s web:app --expose 3000:8080 --run npm start": [
        'target: "deployment/web:app"',
        'expose: ["3000:8080"]',
        'command: ["npm", "start"]',
    ],
    "-s web --expose 8080:80 --expose 8080": ['expose: ["8080:80", "8080:8080"]'],
    "-s web --expose 8080:80 --expose 9090:80": ['expose: ["8080:80"]', "9090:80: port 80"],
    "-s web --to-pod 8910 --from-pod 9000": [
        "pod_localhost: [8910]",
        'expose: ["9000:9000"]',
        "--from-pod: became",
    ],
    "--context dev --namespace shop -s web": ['context: "dev"', 'namespace: "shop"'],
    "-s web --env-json e.json --env-file /tmp/e.env": [
        '{"path": "e.json", "format": "json"}',
        '{"path": "/tmp/e.env", "format": "docker", "outside": true}',
    ],
    "-s web --mount=false": ['volumes: "none"'],
    "-s web --mount /tmp/known": ["mount at /tmp/known"],
    "-s web --docker-mount /mnt --docker-run -it demo:1": [
        'method: "container"',
        'command: ["docker", "run", "-it", "demo:1"]',
        "mount at /mnt",
    ],
    "-m vpn-tcp -s web --also-proxy db.example.com --local-cluster": [
        "--method vpn-tcp: left out",
        "--also-proxy: not needed",
        "--local-cluster: not needed",
    ],
    "-m inject-tcp -d web": ["--method inject-tcp: left out", "--deployment: this swaps it"],
    "-s web --verbose --logfile - --docker-host h --serviceaccount s --container-to-host 1:2": [
        "--verbose:",
        "--logfile:",
        "--docker-host:",
        "--serviceaccount:",
        "--container-to-host:",
    ],
    "--new-deployment mine --expose 80 --run ./x 1": [
        "--new-deployment mine: tp creates no Deployment",
        "--expose",
        "--run ./x 1: belongs",
    ],
    "--run sh -c 'a\nworkloads: {}'": ["# * --run sh -c 'a workloads: {}': belongs"],
    "--run-shell": ["--new-deployment: tp creates no Deployment"],
}


@pytest.mark.parametrize("line", CASES)
def test_each_option_is_carried_over_or_named(line: str) -> None:
    """Each option of Telepresence 1 becomes a key, or a note that says what to do instead."""
    text = telepresence1.convert(["telepresence", *shlex.split(line)]).text()
    draft.check(text)
    assert [part for part in CASES[line] if part not in text.split("\n", 1)[1]] == []


def test_a_command_keeps_its_dollar_signs(tmp_path: Path) -> None:
    """A command of the old line arrives as the same words, quotes and dollar signs included."""
    words = ["sh", "-c", 'echo "$HOME" ${X:?y} : # é']
    text = telepresence1.convert(["telepresence", "-s", "web", "--run", *words]).text()
    Path(tmp_path, "telepresence.yaml").write_text(text)
    run = load.load(cwd=tmp_path, environ={}).file.workloads["web"].run
    assert run is not None
    assert run.command == tuple(words)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "kubectl get pods",
        "telepresence intercept web",
        "telepresence -s a -d b",
        "telepresence -s web --expose http",
        "telepresence -s web --mount here",
        "telepresence -s web -m container",
        "telepresence -s web -m vpn-tcp --docker-run x",
        "telepresence -s web --docker-mount /x --run y",
    ],
)
def test_what_telepresence_refused_is_refused(line: str) -> None:
    """A line that Telepresence 1 would not have taken is a usage error with an example."""
    with pytest.raises(UsageError) as caught:
        telepresence1.convert(shlex.split(line))
    assert "--swap-deployment" in (caught.value.hint or "")


def test_a_value_that_no_file_may_hold_is_shown() -> None:
    """A port that does not exist is a problem of the file, found before it is printed."""
    text = telepresence1.convert(["telepresence", "-s", "web", "--expose", "70000"]).text()
    with pytest.raises(ConfigError):
        draft.check(text)


def test_the_command_prints_a_file_and_notes() -> None:
    """The file goes to standard output, the notes to standard error as well."""
    line = "convert -- telepresence -m vpn-tcp -s web --run npm start -p 1"
    result = CliRunner().invoke(tp, line.split())
    assert result.exit_code == 0
    assert "note: --method vpn-tcp" in result.stderr
    assert 'command: ["npm", "start", "-p", "1"]' in result.stdout
