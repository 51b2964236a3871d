"""The agent's code as it travels: small, whole, the same each time, and importable from memory."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import tpconfig
from tpconfig.cluster import agentcode

ROOT = Path(tpconfig.__file__).parent
IMPORTS = agentcode.AGENT_BOOTSTRAP.partition("from tpconfig.agent.main")[0]


def files() -> dict[str, str]:
    """Return what is packed."""
    found: dict[str, str] = json.loads(zlib.decompress(base64.b64decode(agentcode.packed())))
    return found


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run code behind the bootstrap's importer, as the Pod would, where no tpconfig is."""
    command = [sys.executable, "-I", "-S", "-c", IMPORTS + code, agentcode.packed()]
    return subprocess.run(
        command, cwd="/", env=environ, capture_output=True, text=True, check=False
    )


def test_all_of_agent_and_mux_travels_and_nothing_else() -> None:
    """What they may import, and no file more."""
    expected = {"tpconfig/__init__.py", "tpconfig/names.py"}
    for part in ("agent", "mux"):
        expected |= {f"tpconfig/{part}/{path.name}" for path in (ROOT / part).glob("*.py")}
    assert set(files()) == expected


def test_what_travels_is_what_is_here() -> None:
    """Byte for byte."""
    for name, content in files().items():
        assert content.encode() == (ROOT.parent / name).read_bytes()


def test_it_fits_one_argument_of_the_kernels() -> None:
    """MAX_ARG_STRLEN is 128 KiB; the bootstrap is an argument of its own."""
    assert len(agentcode.packed()) < agentcode.LIMIT_BYTES < 128 * 1024
    assert len(agentcode.AGENT_BOOTSTRAP) < 4096


@pytest.mark.parametrize("text", [agentcode.AGENT_BOOTSTRAP, agentcode.packed()])
def test_kubernetes_expands_nothing_in_it(text: str) -> None:
    """The kubelet would replace ``$(NAME)`` in command and args."""
    assert "$(" not in text


def test_the_same_sources_give_the_same_text() -> None:
    """No time of packing, no order of the file system is in it."""
    first = agentcode.packed()
    agentcode.packed.cache_clear()
    assert agentcode.packed() == first


def test_every_module_of_it_can_be_imported_from_memory() -> None:
    """Without site packages, without a file system that holds it."""
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files()
    ]
    code = (
        f"import importlib\nfor n in {modules}: print(importlib.import_module(n).__spec__.origin)"
    )
    done = run(code)
    assert done.stderr == ""
    assert sorted(done.stdout.split()) == sorted(files())


def test_a_traceback_names_the_file_and_line() -> None:
    """Where an agent fails in a Pod, its log says where."""
    done = run("import tpconfig.mux.opening as m\nm.LineReader().feed(object())")
    assert re.search(r'File "tpconfig/mux/opening.py", line \d+', done.stderr)


def test_the_bootstrap_ends_with_the_agents_exit_code() -> None:
    """Without its settings it does not start, and says what it misses."""
    command = [sys.executable, "-I", "-S", "-c", agentcode.AGENT_BOOTSTRAP, agentcode.packed()]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
    assert done.returncode not in (0, None)
    assert "TPCONFIG_AGENT" in done.stdout + done.stderr


def test_it_listens_for_its_link_before_it_imports_the_rest() -> None:
    """A link that comes as early as that waits, and need not try again."""
    code = "print(L.getsockname()[1] > 0, [name for name in sys.modules if 'tpconfig' in name])"
    done = run(code, TPCONFIG_AGENT='{"link_port": 0}')
    assert done.stdout == "True []\n", done.stderr


def test_the_janitor_runs_from_its_arguments_alone(tmp_path: Path) -> None:
    """Isolated, from memory: all that it imports is packed, or the standard library's."""
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    command = [sys.executable, "-I", "-S", "-c", agentcode.JANITOR_BOOTSTRAP]
    done = subprocess.run(
        [*command, agentcode.packed_janitor()],
        env={**environ, "TPCONFIG_JANITOR": "{}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1, done.stderr
    assert "the settings are not readable: KeyError('namespace')" in done.stdout


def test_the_janitors_code_is_small() -> None:
    """It carries what it imports, and no more of us."""
    assert len(agentcode.packed_janitor()) < 30 * 1024
