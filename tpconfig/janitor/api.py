"""The few requests of the janitor to the API server, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from tpconfig import names

Object = dict[str, Any]

MERGE_PATCH: Final = "application/merge-patch+json"
TIMEOUT_S: Final = 10.0
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

UNREACHABLE: Final = (OSError, http.client.HTTPException, ValueError)
"""What a request raises that was not answered, or not by an API server."""


class RefusedError(Exception):
    """The API server says no; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(slots=True)
class Api:
    """One API server, as one service account; every request has its own connection.

    ``token`` is a file: the kubelet renews it. Both files may be missing where nobody checks.
    """

    server: str
    token: Path = ACCOUNT / "token"
    authority: Path = ACCOUNT / "ca.crt"

    def get(self, path: str) -> Object | None:
        """Return an object; None where there is none."""
        try:
            return self._ask("GET", path)
        except RefusedError as error:
            if error.status != 404:
                raise
            return None

    def patch(self, path: str, body: Object) -> Object:
        """Merge ``body`` into an object; a ``resourceVersion`` in it is a condition."""
        query = urlencode({"fieldManager": names.FIELD_MANAGER})
        return self._ask("PATCH", f"{path}?{query}", body, MERGE_PATCH)

    def delete(self, path: str, *, uid: str, version: str) -> None:
        """Delete this very version of an object; gone already is as well."""
        conditions = {"uid": uid, "resourceVersion": version}
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": conditions}
        try:
            self._ask("DELETE", path, options)
        except RefusedError as error:
            if error.status != 404:
                raise

    def wait_for_change(self, collection: str, name: str, version: str, within_s: float) -> None:
        """Return when an object is another than at ``version``, or after ``within_s`` seconds."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(within_s))),
        }
        until_s = time.monotonic() + within_s
        connection, response = self._send("GET", f"{collection}?{urlencode(query)}", within_s)
        try:
            if response.status >= 400:
                raise _refusal(response)
            while (left_s := until_s - time.monotonic()) > 0:
                if connection.sock is not None:
                    connection.sock.settimeout(left_s)
                line = response.readline()
                if not line or json.loads(line).get("type") != "BOOKMARK":
                    return
        except TimeoutError:
            return
        finally:
            connection.close()

    def _ask(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        connection, response = self._send(method, path, TIMEOUT_S, body, kind)
        try:
            if response.status >= 400:
                raise _refusal(response)
            found = json.loads(response.read())
        finally:
            connection.close()
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found

    def _send(
        self,
        method: str,
        path: str,
        timeout_s: float,
        body: Object | None = None,
        kind: str = "application/json",
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        where = urlsplit(self.server)
        connection: http.client.HTTPConnection
        if where.scheme == "https":
            trust = ssl.create_default_context(cafile=str(self.authority))
            connection = http.client.HTTPSConnection(
                where.hostname or "", where.port, timeout=TIMEOUT_S, context=trust
            )
        else:
            connection = http.client.HTTPConnection(
                where.hostname or "", where.port, timeout=TIMEOUT_S
            )
        headers = {"Accept": "application/json", "User-Agent": "tp-janitor"}
        if self.token.exists():
            headers["Authorization"] = f"Bearer {self.token.read_text().strip()}"
        if body is not None:
            headers["Content-Type"] = kind
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            if connection.sock is not None:
                connection.sock.settimeout(max(1.0, timeout_s))
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise


def _refusal(response: http.client.HTTPResponse) -> RefusedError:
    text = response.read(4096).decode(errors="replace")
    try:
        text = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        pass
    return RefusedError(response.status, text)
