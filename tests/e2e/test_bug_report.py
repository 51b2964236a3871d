"""``tp bug-report``: everything that helps, and no secret."""

from __future__ import annotations

import json
import tarfile

from tests.e2e import accounts, objects
from tests.e2e.place import Place

CANARY = "canary-0123456789abcdef"


def bundle(place: Place, *arguments: str) -> dict[str, str]:
    """Write a report and return its parts."""
    path = place.folder / place.ok("bug-report", *arguments).strip()
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        found = {}
        for entry in archive.getmembers():
            file = archive.extractfile(entry)
            assert file is not None
            found[entry.name.removeprefix("tp-bug-report/")] = file.read().decode()
    return found


def test_a_report_of_a_session_that_is_up(place: Place) -> None:
    """Every part is there; no value of an environment, no Secret and no token is."""
    env = [
        {"name": "PLAIN", "value": CANARY},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
    ]
    place.apply(
        objects.secret("keys", {"key": CANARY}),
        objects.service("web"),
        objects.deployment("web", env=env),
    )
    place.write({"web": objects.swap(3000, SET_HERE=CANARY)}, **{"x-note": CANARY})
    kubeconfig = accounts.with_stock_role(place, "edit")
    as_user = ("--kubeconfig", kubeconfig)
    place.ok("up", "-d", *as_user)
    found = bundle(place, *as_user)
    namespace = f"cluster/{place.namespace}"
    assert json.loads(found["status.json"])["workloads"][0]["traffic"] == "here"
    assert json.loads(found["plan.json"])["actions"] == []
    assert json.loads(found["file.json"])["workloads"]["web"]["target"]["name"] == "web"
    assert "tpconfig.dev/restore" in found[f"{namespace}/deployment.web.json"]
    assert len(json.loads(found[f"{namespace}/pod.json"])) >= 1
    assert any(name.startswith(namespace) and name.endswith(".log") for name in found)
    assert any(name.startswith("logs/") and "SessionUp" in found[name] for name in found)
    view = place.kubectl("config", "view", "--raw", "-o", "json", f"--kubeconfig={kubeconfig}")
    token = json.loads(view)["users"][0]["user"]["token"]
    whole = "".join(found.values())
    assert CANARY not in whole
    assert token not in whole
    place.ok("down", *as_user)


def test_a_report_without_a_cluster_or_a_file(place: Place) -> None:
    """It says of each part why it is not there; and is not written over one that is."""
    nowhere = place.folder / "nowhere"
    nowhere.write_text(place.own_kubeconfig.read_text().replace("https://", "https://127.0.0.1:1/"))
    found = bundle(place, "--kubeconfig", str(nowhere), "-o", "report.tar.gz")
    for part in ("file.json", "plan.json", "status.json"):
        assert found[part].startswith("not to be had: "), part
    assert '"topic": "file"' in found["doctor.jsonl"]
    again = place.tp("bug-report", "-o", "report.tar.gz")
    assert again.returncode == 2
    assert "cannot write report.tar.gz: File exists" in again.stderr
