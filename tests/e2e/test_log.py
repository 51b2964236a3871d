"""The session's log, and what is in no log."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.e2e import accounts, objects
from tests.e2e.place import Place

CANARY = "canary-0123456789abcdef"


def test_no_secret_is_in_any_log(place: Place) -> None:
    """Neither the Pod's, nor the session's, nor the token of the kubeconfig; at any level."""
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}]
    place.apply(
        objects.secret("keys", {"token": CANARY}),
        objects.service("web"),
        objects.deployment("web", env=env),
    )
    place.write({"web": objects.swap(3000)})
    kubeconfig = accounts.with_stock_role(place, "edit")
    said = place.tp("up", "-d", "-vv", "--kubeconfig", kubeconfig)
    assert said.returncode == 0, said.stderr
    [stored] = [one for one in place.get_list("secrets") if "secret" in one.get("data", {})]
    session_secret = base64.b64decode(stored["data"]["secret"]).decode()
    token = json.loads(
        place.kubectl("config", "view", "--raw", "-o", "json", f"--kubeconfig={kubeconfig}")
    )
    token = token["users"][0]["user"]["token"]
    down = place.tp("down", "-vv", "--kubeconfig", kubeconfig)
    texts = [said.stdout + said.stderr, down.stdout + down.stderr]
    texts += [path.read_text(errors="replace") for path in logs(place.state)]
    whole = "\n".join(texts)
    for secret in (CANARY, session_secret, token):
        assert secret not in whole
    (own,) = place.state.rglob("tp.jsonl")
    events = [json.loads(line) for line in own.read_text().splitlines()]
    assert {"request", "ActionDone", "SessionUp"} <= {one["event"] for one in events}
    assert "/apis/coordination.k8s.io/v1/" in down.stderr


def logs(folder: Path) -> list[Path]:
    """Return every file of the state folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
