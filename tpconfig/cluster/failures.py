"""What the API server, or the way to it, said no to: typed by status and reason, never by text.

The hint is written here because here the refusal is understood; callers catch the type.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tpconfig.cluster import paths
from tpconfig.cluster.http import aiohttp
from tpconfig.errors import NoPermissionError, TpError, UnreachableError


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of ``details.causes``: which field is wrong, and why."""

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API server answered, to which request.

    Attributes:
        status: the HTTP status.
        reason: the machine-readable word (``NotFound``), empty where the server gave none.
        message: the server's words.
        details: ``details`` of the Status object, as it came.
        method: the HTTP method of the request.
        path: the path of the request.
    """

    status: int
    reason: str
    message: str
    details: Mapping[str, Any]
    method: str
    path: str


class ApiError(TpError):
    """The API server answered with an error; ``message`` is what it said, or what that means.

    Attributes:
        refusal: the whole of it.
        causes: the fields that are wrong.
    """

    def __init__(
        self,
        refusal: Refusal,
        *,
        message: str | None = None,
        hint: str | None = None,
        details: Sequence[str] | None = None,
    ) -> None:
        self.refusal = refusal
        self.causes = _causes_of(refusal.details)
        lines = [str(cause) for cause in self.causes] if details is None else details
        super().__init__(refusal.message if message is None else message, hint=hint, details=lines)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.refusal.status

    @property
    def reason(self) -> str:
        """The machine-readable word (``NotFound``), empty where the server gave none."""
        return self.refusal.reason

    @property
    def status_details(self) -> Mapping[str, Any]:
        """``details`` of the Status object, as it came."""
        return self.refusal.details


class NotFoundError(ApiError):
    """404: the object, or the kind, does not exist."""


class AlreadyExistsError(ApiError):
    """409 AlreadyExists: somebody created it before."""


class StaleError(ApiError):
    """409 Conflict: the object is not the one that was looked at; observe and plan again."""


class GoneError(ApiError):
    """410: that resourceVersion is too old for a watch or a list to continue from."""


class InvalidError(ApiError):
    """400 or 422: the API server does not accept the object; ``causes`` names the fields."""


class ThrottledError(ApiError):
    """429: too many requests, also after having waited as long as the server asked for."""


class ServerError(ApiError):
    """5xx: the API server could not do it, now."""


class UnauthorizedError(ApiError, NoPermissionError):
    """401: the API server does not know who is asking, also with fresh credentials."""


class ForbiddenError(ApiError, NoPermissionError):
    """403: the authorizer, or an admission rule, says no."""


class AnswerLostError(UnreachableError):
    """The connection broke between request and answer: the change may have happened or not."""


class BastionDownError(aiohttp.ClientConnectionError):
    """There is no connection to the bastion right now, so nothing was sent."""

    def __init__(self, words: str, hint: str | None) -> None:
        super().__init__(words)
        self.hint = hint


_BY_REASON: Final[Mapping[tuple[int, str], type[ApiError]]] = {
    (409, "AlreadyExists"): AlreadyExistsError,
    (409, "Conflict"): StaleError,
}
_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: InvalidError,
    404: NotFoundError,
    409: StaleError,
    410: GoneError,
    422: InvalidError,
    429: ThrottledError,
}
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def verb_of(method: str, path: str, *, watching: bool = False) -> str:
    """Return the verb that RBAC checks for a request."""
    if method in _VERBS:
        return _VERBS[method]
    if watching:
        return "watch"
    where = paths.locate(path)
    return "get" if where is None or where.name is not None else "list"


def of_answer(
    status: int, body: bytes, *, method: str, path: str, watching: bool = False
) -> ApiError:
    """Return the error that an answer of the API server stands for."""
    parsed = _status_of(body)
    refusal = Refusal(
        status=status,
        reason=str(parsed.get("reason") or ""),
        message=str(parsed.get("message") or "") or _plain(body) or f"HTTP status {status}",
        details=parsed.get("details") or {},
        method=method,
        path=path,
    )
    if status == 401:
        return UnauthorizedError(
            refusal,
            message="the API server does not accept these credentials",
            hint="log in again, or choose another context with --context",
        )
    if status == 403:
        return _forbidden(refusal, verb_of(method, path, watching=watching))
    kind = _BY_REASON.get((status, refusal.reason)) or _BY_STATUS.get(status)
    if kind is None:
        kind = ServerError if status >= 500 else ApiError
    return kind(refusal, hint=_hint(kind, known_object=bool(parsed)))


def of_status(status: Mapping[str, Any], *, path: str) -> ApiError:
    """Return the error that a Status object inside a watch stands for."""
    code = status.get("code")
    return of_answer(
        code if isinstance(code, int) else 500,
        json.dumps(dict(status)).encode(),
        method="GET",
        path=path,
        watching=True,
    )


def unreachable(server: str, tried_s: float, error: BaseException) -> UnreachableError:
    """Return what to say when no connection to the API server comes about."""
    words, hint = _why(error)
    return UnreachableError(
        f"cannot reach the API server {server} (tried for {tried_s:.1f} s)",
        hint=hint,
        details=(words,),
    )


def answer_lost(server: str, method: str, path: str, error: BaseException) -> AnswerLostError:
    """Return what to say when a change was sent and its answer never came."""
    where = paths.locate(path)
    return AnswerLostError(
        f"the connection to {server} broke before it answered: {verb_of(method, path)} "
        f"{where or path}",
        hint="the change may have happened or not; run the command again, it looks first",
        details=(_why(error)[0],),
    )


def is_unsent(error: BaseException) -> bool:
    """Tell whether the request certainly did not reach the API server."""
    return isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | BastionDownError
    )


def is_hopeless(error: BaseException) -> bool:
    """Tell whether trying again cannot help: certificates do not change while one waits."""
    return isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientHttpProxyError)


def _why(error: BaseException) -> tuple[str, str]:
    match error:
        case BastionDownError():
            return str(error), error.hint or "try again in a moment"
        case aiohttp.ClientConnectorCertificateError():
            return (
                f"its certificate is not trusted: {error.certificate_error}",
                "compare the context's `server`, `certificate-authority` and `tls-server-name`",
            )
        case aiohttp.ClientSSLError():
            return f"TLS failed: {error.os_error}", "is this the port of an API server?"
        case aiohttp.ClientHttpProxyError():
            return (
                f"the proxy answered {error.status} {error.message}",
                "see the context's `proxy-url`, or HTTPS_PROXY and NO_PROXY",
            )
        case aiohttp.ClientProxyConnectionError():
            return (
                f"the proxy cannot be reached: {error.os_error.strerror or error.os_error}",
                "see the context's `proxy-url`, or HTTPS_PROXY and NO_PROXY",
            )
        case aiohttp.ClientConnectorDNSError():
            return (
                f"the name {error.host} does not resolve",
                "is the VPN up? does the context's cluster still exist?",
            )
        case aiohttp.ClientConnectorError():
            return (
                _os_words(error.os_error),
                "is the cluster running? is this the right context? (--context)",
            )
        case TimeoutError():
            return "no answer", "is the VPN up? does a firewall drop the packets?"
        case _:
            return str(error) or type(error).__name__, "try again in a moment"


def _os_words(error: OSError) -> str:
    # asyncio joins several addresses' errors into one without an errno.
    if isinstance(error, socket.gaierror) or not error.strerror:
        return str(error)
    return error.strerror[:1].lower() + error.strerror[1:]


def _forbidden(refusal: Refusal, verb: str) -> ForbiddenError:
    where = paths.locate(refusal.path)
    what = where or refusal.path
    scope = f" in namespace {where.namespace}" if where and where.namespace else ""
    # Reading is refused by the authorizer alone; a write also by admission, with the same reason.
    hint = f"the user of this context needs the verb {verb} on {what}"
    if refusal.method != "GET":
        hint += ", or an admission rule refuses it (the server's words say which)"
    return ForbiddenError(
        refusal,
        message=f"no permission to {verb} {what}{scope}",
        hint=hint,
        details=(refusal.message,),
    )


def _hint(kind: type[ApiError], *, known_object: bool) -> str | None:
    if kind is NotFoundError and not known_object:
        return "this API server does not serve that kind of object"
    if kind is StaleError:
        return "somebody changed it at the same moment; try again"
    if kind is ThrottledError:
        return "the API server is overloaded; try again in a moment"
    if kind is ServerError:
        return "the API server has a problem of its own; try again, or ask its administrator"
    return None


def _status_of(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) and parsed.get("kind") == "Status" else {}


def _plain(body: bytes) -> str:
    """Return the first line of an answer that is no Status object (a proxy's, an old path's)."""
    lines = body.decode("utf-8", "replace").strip().splitlines()
    return lines[0].strip()[:300] if lines else ""


def _causes_of(details: Mapping[str, Any]) -> tuple[Cause, ...]:
    return tuple(
        Cause(
            str(cause.get("field") or ""),
            str(cause.get("reason") or ""),
            str(cause.get("message") or ""),
        )
        for cause in details.get("causes") or ()
        if isinstance(cause, dict)
    )
