"""Which proxy stands between us and the API server, as kubectl would choose it.

aiohttp could read the environment by itself, but does not know networks in NO_PROXY
(``10.0.0.0/8``, which kubectl's users write) and looks into ``.netrc`` on the way.
"""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from contextlib import suppress
from urllib.parse import urlsplit

from tpconfig.errors import UsageError


def choose(server: str, configured: str | None) -> str | None:
    """Return the proxy to go through: the context's own, else the environment's.

    Raises:
        UsageError: it is of a kind that aiohttp cannot talk to (SOCKS), by name.
    """
    proxy = configured or _of_environment(server)
    parts = urlsplit(proxy or "")
    if proxy and parts.scheme not in ("http", "https"):
        named = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # without the password
        raise UsageError(
            f"tp cannot go through the proxy {named}: only http and https proxies work",
            hint="give the context an http `proxy-url`, or connect to a VPN",
        )
    return proxy


def _of_environment(server: str) -> str | None:
    parts = urlsplit(server)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies_environment().get(parts.scheme)
    if not proxy or host == "localhost" or urllib.request.proxy_bypass(host):
        return None
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        exempt = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        if address.is_loopback or any(_holds(entry, address) for entry in exempt.split(",")):
            return None
    return proxy


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    with suppress(ValueError):
        return address in ipaddress.ip_network(entry.strip(), strict=False)
    return False
