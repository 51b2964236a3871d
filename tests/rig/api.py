"""The few requests that the rig itself makes; plain HTTPS with the admin's certificate."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from tests.rig import node
from tests.rig.places import Places

APPLY = "application/apply-patch+yaml"


class RefusedError(Exception):
    """The API server's own answer to a request that it did not carry out."""

    def __init__(self, status: int, message: str) -> None:
        """``status`` is HTTP's."""
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """The API server as its admin sees it; proxies of the environment are not for it."""

    def __init__(self, rig: Places, *, token: str | None = None) -> None:
        """With a ``token``, as its owner."""
        self._server = node.server(rig)
        context = ssl.create_default_context(cafile=rig.pki / "ca.crt")
        self._token = token
        if token is None:
            context.load_cert_chain(rig.pki / "admin.crt", rig.pki / "admin.key")
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def call(self, method: str, path: str, body: object = None, *, kind: str = "") -> Any:
        """One request; returns the decoded answer, raises RefusedError or OSError."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = kind or "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        encoded = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._server + path, data=encoded, method=method, headers=headers
        )
        try:
            with self._open.open(request, timeout=10) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, error.read().decode("utf-8", "replace")[:500]) from error
        return json.loads(text) if text.startswith(("{", "[")) else text

    def apply(self, path: str, body: dict[str, object]) -> Any:
        """Server-side apply; the object's name is the end of ``path``."""
        body = body | {"metadata": {"name": path.rpartition("/")[2]}}
        return self.call("PATCH", f"{path}?fieldManager=tp-rig&force=true", body, kind=APPLY)

    def ready(self) -> bool:
        """Whether the API server serves."""
        try:
            return bool(self.call("GET", "/readyz") == "ok")
        except RefusedError:
            return False
