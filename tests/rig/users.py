"""Other people than the admin: what ``tp`` may do with few permissions is tested with these."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.rig import configs, node, pki
from tests.rig.api import Api, RefusedError
from tests.rig.places import Places


def person(
    rig: Places, name: str, *, groups: tuple[str, ...] = (), namespace: str = "default", to: Path
) -> Path:
    """Writes a kubeconfig for a user with a client certificate; they may do nothing yet."""
    identity = pki.Identity(name, groups)
    folder = rig.pki / "people"
    folder.mkdir(exist_ok=True)
    for file in ("ca.crt", "ca.key", "openssl.cnf"):
        if not (folder / file).exists():
            (folder / file).symlink_to(f"../{file}")
    file = hashlib.sha256(identity.subject.encode()).hexdigest()[:12]
    user = configs.by_certificate(*pki.certificate(folder, file, identity))
    return _write(rig, user, namespace, to)


def service_account(
    rig: Places, name: str, *, namespace: str, to: Path, lifetime_s: int = 3600
) -> Path:
    """Writes a kubeconfig for a service account (made if missing), with a bound token."""
    api = Api(rig)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    try:
        api.call("POST", path, body)
    except RefusedError as refused:
        if refused.status != 409:
            raise
    spec = {"expirationSeconds": lifetime_s}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    token = api.call("POST", f"{path}/{name}/token", request)["status"]["token"]
    return _write(rig, {"token": token}, namespace, to)


def _write(rig: Places, user: dict[str, str], namespace: str, to: Path) -> Path:
    configs.write_kubeconfig(
        to, server=node.server(rig), authority=rig.pki / "ca.crt", user=user, namespace=namespace
    )
    return to
