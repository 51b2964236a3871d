"""Kubeconfigs of every kind, and clocks that are wrong."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e import accounts, objects
from tests.e2e.connect_proxy import open_connect_proxy
from tests.e2e.namespace import eventually
from tests.e2e.place import ROOT, Place

WRONG_BY_S = 600


@pytest.fixture
def shop(place: Place) -> Place:
    """One Deployment, and a file that swaps it."""
    place.apply(objects.deployment("web"), objects.service("web"))
    place.write({"web": objects.idle()}, session={"ttl": "10s", "janitor": "off"})
    return place


def write(place: Place, name: str, **parts: Any) -> str:
    """Write a kubeconfig, or a part of one, that only its owner may read."""
    path = place.home / name
    path.touch(mode=0o600)
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **parts}))
    return str(path)


def test_several_files_a_proxy_and_a_name_of_the_certificate(shop: Place) -> None:
    """Cluster, user and context come from three files; every connection is the proxy's."""
    config = json.loads(shop.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    server = urlsplit(cluster["server"])
    with open_connect_proxy() as proxy:
        cluster["tls-server-name"] = server.hostname
        cluster["server"] = (
            f"https://api.invalid:{server.port}"  # a name that only the proxy reaches
        )
        cluster["proxy-url"] = f"http://127.0.0.1:{proxy.port}"
        proxy.resolves["api.invalid"] = str(server.hostname)
        parts = {key: config[key] for key in ("clusters", "users", "contexts")}
        files = [write(shop, key, **{key: value}) for key, value in parts.items()]
        shop.own_kubeconfig.unlink()
        merged = os.pathsep.join([str(shop.own_kubeconfig), *files])  # the first is missing
        options = {"KUBECONFIG": merged}
        context = ("--context", config["current-context"])
        before = shop.exact("web")
        shop.ok("up", "-d", *context, **options)
        assert shop.get("deployment", "web")["spec"]["replicas"] == 0
        assert set(proxy.asked) == {f"api.invalid:{server.port}"}
        shop.ok("down", *context, **options)
    assert shop.exact("web") == before
    shop.nothing_left()


def test_a_plugin_whose_token_ends_in_the_middle(shop: Place) -> None:
    """It is asked again, once it is refused, and the session goes on."""
    plugin, asked, token = (shop.home / name for name in ("plugin", "asked", "token"))
    plugin.write_text(
        textwrap.dedent(f"""\
        #!{sys.executable} -I
        import json
        from pathlib import Path
        with Path({str(asked)!r}).open("a") as file:
            file.write("x")
        token = Path({str(token)!r}).read_text()
        print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1",
                          "kind": "ExecCredential", "status": {{"token": token}}}}))
        """)
    )
    plugin.chmod(0o700)
    account = json.loads(Path(accounts.with_stock_role(shop, "edit")).read_text())
    execute = {"command": str(plugin), "interactiveMode": "Never"}
    execute["apiVersion"] = "client.authentication.k8s.io/v1"
    account["users"][0]["user"] = {"exec": execute}
    shop.own_kubeconfig.write_text(json.dumps(account))
    for name in ("first", "second"):
        shop.apply(objects.secret(name, {}))
    token.write_text(bound(shop, "first"))
    before = shop.exact("web")
    shop.start_up()
    times = len(asked.read_text())
    token.write_text(bound(shop, "second"))
    shop.kubectl("delete", "secret", "first")  # the token that is bound to it ends as well
    eventually(lambda: len(asked.read_text()) > times, "nobody asked again")
    renewed = renewals(shop)
    eventually(lambda: renewals(shop) != renewed, "the lease is not renewed any more")
    shop.ok("down")
    assert shop.exact("web") == before
    shop.nothing_left()


def bound(place: Place, secret: str) -> str:
    """Return a token that ends with a Secret."""
    words = ["--bound-object-kind", "Secret", "--bound-object-name", secret]
    return place.kubectl("create", "token", "dev", *words).strip()


def renewals(place: Place) -> str:
    """Return when the Lease was renewed last."""
    (lease,) = place.get_list("leases")
    return str(lease["spec"]["renewTime"])


@pytest.mark.parametrize("wrong_s", [WRONG_BY_S, -WRONG_BY_S], ids=["fast", "slow"])
def test_a_clock_that_is_wrong(shop: Place, wrong_s: int) -> None:
    """The Lease has the cluster's time, and nobody restores too early, whoever's clock is wrong."""
    folder = shop.home / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"import time\nright = time.time\ntime.time = lambda: right() + {wrong_s}\n"
    )
    wrong = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    skew = "import time, datetime; print(time.time() - datetime.datetime.now().timestamp())"
    before = shop.exact("web")
    shop.ok("up", "-d", **wrong)
    said = shop.ok("run", "web", "--", sys.executable, "-c", skew, **wrong)
    assert abs(float(said) - wrong_s) < 60
    swapped = shop.exact("web")
    renewed = datetime.fromisoformat(renewals(shop))
    assert abs((datetime.now(UTC) - renewed).total_seconds()) < 60
    said = shop.ok("doctor", **wrong)
    assert f"{'ahead of' if wrong_s > 0 else 'behind'} the API server" in said
    shop.write({"web": objects.idle()}, name="neighbour", session={"janitor": "off"})
    for clock in (wrong, {}):
        done = shop.tp("up", "-d", **clock)
        assert done.returncode == 5, done.stderr
    assert shop.exact("web") == swapped
    shop.write({"web": objects.idle()})
    shop.ok("down")
    assert shop.exact("web") == before
    shop.nothing_left()
