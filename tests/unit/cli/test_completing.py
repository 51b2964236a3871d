"""What a shell is offered behind what has been typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from tpconfig.cli.main import tp

FILE = """
version: 1
workloads:
  web: {target: deployment/web, profiles: [front]}
  worker: {target: deployment/worker}
  orders: {target: deployment/orders}
"""
KUBECONFIG = """
current-context: kind
contexts:
  - {name: kind, context: {cluster: c}}
  - {name: prod, context: {cluster: c}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file in it, and a kubeconfig."""
    (tmp_path / "telepresence.yaml").write_text(FILE)
    (tmp_path / "config").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(*words: str) -> list[str]:
    """Return what is offered for the last word."""
    completing = ShellComplete(tp, {}, "tp", "_TP_COMPLETE")
    return [one.value for one in completing.get_completions([*words[:-1]], words[-1])]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("pl",), ["plan"]),
        (("up", ""), ["orders", "web", "worker"]),
        (("up", "w"), ["web", "worker"]),
        (("up", "web", "w"), ["worker"]),
        (("run", "o"), ["orders"]),
        (("up", "--profile", ""), ["front"]),
        (("up", "--exit-code-from", "or"), ["orders"]),
        (("env", "--format", "do"), ["docker", "dotenv"]),
        (("up", "--on-conflict", "t"), ["takeover"]),
        (("--context", ""), ["kind", "prod"]),
        (("up", "--context", "p"), ["prod"]),
        (("completion", "z"), ["zsh"]),
    ],
)
def test_what_is_offered(words: tuple[str, ...], found: list[str]) -> None:
    """Commands, the file's workloads and profiles, contexts, and the words of an option."""
    assert offered(*words) == found


@pytest.mark.parametrize("name", ["telepresence.yaml", "config"])
def test_what_is_broken_completes_nothing(folder: Path, name: str) -> None:
    """Neither a traceback nor a word in the middle of a command line."""
    (folder / name).write_text("a: [")
    assert offered(*(("up", "") if name != "config" else ("--context", ""))) == []


def test_another_file_is_completed_from(folder: Path) -> None:
    """``-f`` before or behind the command's name."""
    (folder / "other.yaml").write_text("version: 1\nworkloads: {api: {target: deployment/api}}")
    assert offered("-f", "other.yaml", "up", "") == ["api"]
    assert offered("up", "-f", "other.yaml", "") == ["api"]
