"""``tp init`` against an API server: what it finds, what it writes, and what it leaves alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.fakes.shop import Shop
from tpconfig.cli.main import tp
from tpconfig.cluster.api import open_api
from tpconfig.cluster.paths import path_of
from tpconfig.config.load import load

TWO = {"containers": [{"name": "app", "image": "a"}, {"name": "log", "image": "b"}]}


async def init(shop: Shop, *arguments: str) -> Result:
    """Run ``tp init`` in this folder."""
    words = ["--kubeconfig", shop.kubeconfig, "init", *arguments]
    return await asyncio.to_thread(CliRunner().invoke, tp, words)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, which the command runs in."""
    path = tmp_path / "project"
    path.mkdir()
    monkeypatch.chdir(path)
    monkeypatch.setenv("TP_STATE_DIR", str(tmp_path / "s"))
    return path


async def test_a_file_of_what_services_send(shop: Shop, folder: Path) -> None:
    """The file has the target and its ports, names its schema, and loads without a note."""
    before = shop.exact()
    done = await init(shop, "--target", "deployment/web", "--target", "api")
    assert done.exit_code == 0, done.stderr
    text = (folder / "telepresence.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=telepresence.schema.json\n")
    assert (folder / "telepresence.schema.json").exists()
    loaded = load(cwd=folder, environ={})
    assert loaded.notes == ()
    assert list(loaded.file.workloads) == ["web", "api"]
    web = loaded.file.workloads["web"]
    assert str(web.target.name) == "web"
    assert [(one.local, one.cluster) for one in web.expose or ()] == [(8080, 8080)]
    assert "for service web" in text
    assert loaded.file.cluster.namespace == "shop"
    assert shop.exact() == before


@pytest.mark.parametrize("name", ["telepresence.yaml", "telepresence.yml", "tp.yaml"])
async def test_no_file_is_overwritten(shop: Shop, folder: Path, name: str) -> None:
    """A file of any of our names stays as it is, and the command ends with 2."""
    (folder / name).write_text("mine", encoding="utf-8")
    done = await init(shop, "--target", "web")
    assert (done.exit_code, (folder / name).read_text(encoding="utf-8")) == (2, "mine")
    assert f"{name} is there already" in done.stderr
    assert [one.name for one in folder.iterdir()] == [name]


async def test_nobody_to_ask_is_told_what_there_is(shop: Shop, folder: Path) -> None:
    """Without a terminal and without --target, the targets are listed, and nothing is written."""
    done = await init(shop)
    assert done.exit_code == 2
    assert "--target, one of: deployment/api, deployment/web" in done.stderr
    assert list(folder.iterdir()) == []


async def test_a_wrong_name_gets_the_nearest(shop: Shop, folder: Path) -> None:
    """There is no deployment/wep, but there is deployment/web."""
    done = await init(shop, "--target", "deployment/wep")
    assert done.exit_code == 2
    assert "did you mean `deployment/web`?" in done.stderr
    assert list(folder.iterdir()) == []


async def test_several_containers_need_a_name(shop: Shop, folder: Path) -> None:
    """Where no Service tells which container is meant, it must be named, and is written."""
    labels = {"app": "two"}
    template = {"metadata": {"labels": labels}, "spec": TWO}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    async with open_api(context=None, kubeconfig=shop.kubeconfig) as api:
        manifest = {"metadata": {"name": "two"}, "spec": spec}
        await api.create(path_of("deployment", "shop"), manifest)
    done = await init(shop, "--target", "two")
    assert done.exit_code == 2
    assert "2 containers" in done.stderr
    done = await init(shop, "--target", "two:log")
    assert done.exit_code == 0, done.stderr
    assert "target: deployment/two:log\n" in Path("telepresence.yaml").read_text(encoding="utf-8")


async def test_the_number_of_a_workload_is_asked_for(
    shop: Shop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, the workloads are listed with numbers, and those that are named are taken."""
    monkeypatch.setattr("tpconfig.cli.commands.init._nobody_there", lambda: False)
    words = ["--kubeconfig", shop.kubeconfig, "init"]
    done = await asyncio.to_thread(CliRunner().invoke, tp, words, input="2\n")
    assert done.exit_code == 0, done.stderr
    assert "2  deployment/web" in done.stderr
    assert list(load(cwd=folder, environ={}).file.workloads) == ["web"]
