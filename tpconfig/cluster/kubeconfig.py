"""Who we are and where the cluster is: the user's kubeconfig, read by the kubernetes package.

Its loader does the work; what is changed here was found by using it: files are merged as kubectl
does (the first one wins), relative paths belong to the file that names them, a credential plugin
that fails says so instead of leaving us anonymous, tokens lose their newline, and private keys
leave the disk again as soon as they are loaded.
"""

# The package's loaders carry no annotations.
# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from tpconfig import log
from tpconfig.cluster import connections, execplugin, proxy
from tpconfig.cluster.http import aiohttp
from tpconfig.cluster.kubepackage import (
    ConfigException,
    Configuration,
    RESTClientObject,
    kube_config,
    load_incluster_config,
)
from tpconfig.errors import NoPermissionError, TpError, UsageError

IN_CLUSTER: Final = "in-cluster"
"""The context's name where there is no kubeconfig but a service account of a Pod."""

_NAMESPACE_FILE: Final = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


@dataclass(frozen=True, slots=True)
class Access:
    """One cluster as one user: the address, the credentials, and the TLS that they need.

    ``identity`` changes when a connection that is already open was made with other certificates.
    """

    server: str
    context: str
    namespace: str
    identity: bytes
    proxy: str | None
    configuration: Any
    rest: Any
    impersonation: Mapping[str, str]

    @property
    def server_name(self) -> str | None:
        """The name that the server's certificate must carry, if not the address's own."""
        return self.configuration.tls_server_name or None

    def open_session(self) -> aiohttp.ClientSession:
        """Return a new session whose connections have the TLS of this access."""
        session: aiohttp.ClientSession = self.rest._create_pool_manager()
        return session

    def through(self, way: connections.Way | None) -> Access:
        """Return this access with connections that go another way, if any; names and TLS stay.

        Raises:
            UsageError: the context names a proxy, too.
        """
        if way is None:
            return self
        if self.configuration.proxy:
            raise UsageError(
                f"context {self.context} has a `proxy-url`, and the file a bastion",
                hint="a connection takes one of them: leave out cluster.bastion, or the proxy",
            )
        rest = copy.copy(self.rest)  # its certificates are loaded, their files are gone
        rest.way = way
        return replace(self, proxy=None, rest=rest)

    async def headers(self) -> dict[str, str]:
        """Return the headers that say who is asking."""
        settings = await self.configuration.auth_settings()
        token = ((settings.get("BearerToken") or {}).get("value") or "").strip()
        log.hide(token.partition(" ")[2])
        return {**self.impersonation, **({"Authorization": token} if token else {})}


class _Rest(RESTClientObject):
    """The package's session, on sockets that notice when the other end is gone."""

    way: connections.Way | None = None

    def _create_connector(self) -> aiohttp.TCPConnector:
        return connections.Connector(self.way, ssl=self.ssl_context)


async def load(*, context: str | None, path: str | None = None) -> Access:
    """Read the kubeconfig, run its credential plugin if it has one, load the certificates.

    Raises:
        UsageError: the kubeconfig is missing or broken, or has no such context.
        NoPermissionError: the credentials cannot be had.
    """
    files = files_of(path)
    try:
        if files is None:
            return _in_cluster(context)
        merged = _Merged(os.pathsep.join(files))
        return await _from_files(merged, context, ", ".join(files))
    except TpError:
        raise
    except (ConfigException, ValueError, KeyError, TypeError, OSError) as error:
        where = ", ".join(files or ())
        raise UsageError(
            f"the kubeconfig cannot be used: {error}", details=(where,) if where else ()
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoPermissionError(f"the login cannot be renewed: {error}") from error
    finally:
        # What was inline in the kubeconfig is in memory now; OpenSSL wanted it as files.
        kube_config._cleanup_temp_files()


def files_of(path: str | None) -> list[str] | None:
    """Return the kubeconfig's files, or None where a Pod's service account takes their place."""
    if path is not None:
        if not os.path.isfile(os.path.expanduser(path)):
            raise UsageError(f"no such kubeconfig: {path}")
        return [os.path.expanduser(path)]
    named = [entry for entry in os.environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    wanted = named or [str(Path.home() / ".kube" / "config")]
    found = [name for name in map(os.path.expanduser, wanted) if os.path.isfile(name)]
    if found:
        return found
    if not named and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    origin = "$KUBECONFIG names" if named else "there is neither $KUBECONFIG nor"
    raise UsageError(
        f"no kubeconfig: {origin} {', '.join(wanted)}"
        + (", which does not exist" if named else ""),
        hint="give one with --kubeconfig FILE, or make one with your cloud's or cluster's own tool",
    )


class _Merged(kube_config.KubeConfigMerger):
    """Several files as one; of whatever is there twice, the first counts, as in kubectl."""

    def load_config(self, path: str) -> None:
        """Add one file."""
        config = read(path)
        if self.config_merged is None:
            self.config_merged = kube_config.ConfigNode(path, {}, path)
            self.config_merged.value.update(clusters=[], contexts=[], users=[])
        for item in ("clusters", "contexts", "users"):
            self._merge(item, config.get(item) or [], path)
        if config.get("current-context"):
            self.config_merged.value.setdefault("current-context", config["current-context"])
        self.config_files[path] = config

    def persist(self, _: Any) -> None:
        """Write back what a login changed (a refresh token may be good for one use only)."""
        with suppress(OSError):
            self.save_changes()


def read(path: str) -> dict[str, Any]:
    """Read one file; a UsageError says what is wrong with it."""
    try:
        text = Path(path).read_text("utf-8")
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is no kubeconfig: it is not YAML", details=str(error).splitlines()
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read the kubeconfig {path}: {error.strerror}") from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} is no kubeconfig: it is {'empty' if config is None else 'text'}")
    for item in ("clusters", "contexts", "users"):
        entries = config.get(item) or []
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and "name" in entry and isinstance(entry.get(item[:-1]), dict)
            for entry in entries
        ):
            raise UsageError(f"{path} is no kubeconfig: `{item}` is not a list of named {item}")
    return config


class _Loader(kube_config.KubeConfigLoader):
    """The package's loader, with the cures that the module's docstring names."""

    def __init__(self, config: Any, **options: Any) -> None:
        super().__init__(config, **options)
        self._config_base_path = None  # each file's own folder
        self._user: Any = self._user or kube_config.ConfigNode("user", {}, config.path)
        self._folder = os.path.dirname(os.path.abspath(self._user.path))

    async def load_from_exec_plugin(self) -> bool:
        """Run the credential plugin; its failure is ours."""
        spec, cluster = self._user["exec"].value, getattr(self._cluster, "value", None)
        status = await execplugin.run(spec, folder=self._folder, cluster=cluster)
        if status.get("token"):
            self.token = f"Bearer {status['token']}"
        if status.get("clientCertificateData"):
            self.cert_file = kube_config._create_temp_file_with_content(
                status["clientCertificateData"]
            )
            self.key_file = kube_config._create_temp_file_with_content(status["clientKeyData"])
        return True

    def _load_user_token(self) -> bool:
        if file := self._user.safe_get("tokenFile"):  # it is renewed, `token` is not
            self.token = f"Bearer {Path(self._folder, file).read_text().strip()}"
            return True
        return bool(super()._load_user_token())

    def _load_cluster_info(self) -> None:
        if "cert_file" not in self.__dict__:
            for attribute, key in (("cert_file", "client-certificate"), ("key_file", "client-key")):
                entry = kube_config.FileOrData(self._user, key, file_base_path=self._folder)
                setattr(self, attribute, entry.as_file())
        super()._load_cluster_info()


async def _from_files(merged: _Merged, wanted: str | None, files: str) -> Access:
    config = merged.config.value
    name = wanted or config.get("current-context")
    names = [entry["name"] for entry in config["contexts"]]
    if not name:
        raise UsageError(
            f"the kubeconfig has no current context ({files})",
            hint=f"choose one with --context: {', '.join(names)}" if names else None,
        )
    context = _named(config, "context", name, files)
    cluster = _named(config, "cluster", context.get("cluster"), files)
    if not cluster.get("server"):
        raise UsageError(f"the kubeconfig's cluster {context['cluster']} has no `server` ({files})")
    user: Mapping[str, Any] = {}
    if context.get("user"):
        user = _named(config, "user", context["user"], files)
    configuration = Configuration()
    loader = _Loader(merged.config, active_context=name, config_persister=merged.persist)
    await loader.load_and_set(configuration)
    return _access(configuration, name, context.get("namespace"), _impersonation(user))


def _named(config: Mapping[str, Any], kind: str, name: str | None, files: str) -> dict[str, Any]:
    entries = {entry["name"]: entry for entry in config[f"{kind}s"]}
    if name in entries:
        found = entries[name][kind]
        return dict(getattr(found, "value", found))
    import difflib  # 10 ms that only a mistake has to pay

    nearest = difflib.get_close_matches(str(name), entries, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    there = ", ".join(sorted(entries)) or "none"
    raise UsageError(
        f"no {kind} {name} in the kubeconfig ({files})", hint=f"{hint}there are: {there}"
    )


def _impersonation(user: Mapping[str, Any]) -> dict[str, str]:
    if user.get("as-groups") or user.get("as-user-extra") or user.get("as-uid"):
        raise UsageError(
            "the context's user impersonates with groups or extras, which tp cannot do",
            hint="use a context whose user logs in as itself",
        )
    return {"Impersonate-User": str(user["as"])} if user.get("as") else {}


def _in_cluster(wanted: str | None) -> Access:
    if wanted not in (None, IN_CLUSTER):
        raise UsageError(f"no context {wanted}: there is no kubeconfig, only a service account")
    configuration = Configuration()
    load_incluster_config(configuration)
    namespace = Path(_NAMESPACE_FILE)
    text = namespace.read_text().strip() if namespace.is_file() else None
    return _access(configuration, IN_CLUSTER, text, {})


def _access(
    configuration: Any, context: str, namespace: str | None, impersonation: Mapping[str, str]
) -> Access:
    # Python 3.13 wants extensions that clusters' own CAs often lack; kubectl does not.
    configuration.disable_strict_ssl_verification = True
    # A .netrc is for other programs, and looking for it costs a thread per request.
    configuration.client_session_kwargs = {
        "trust_env": False,
        "cookie_jar": aiohttp.DummyCookieJar(),
    }
    seen = hashlib.sha256(repr((configuration.host, configuration.verify_ssl)).encode())
    for file in (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file):
        seen.update(Path(file).read_bytes() if file else b"-")
    return Access(
        server=configuration.host,
        context=context,
        namespace=namespace or "default",
        identity=seen.digest(),
        proxy=proxy.choose(configuration.host, configuration.proxy),
        configuration=configuration,
        rest=_Rest(configuration),
        impersonation=impersonation,
    )
