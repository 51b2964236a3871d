"""aiohttp, imported without reading the certificate authorities of the whole world.

While it is imported it makes two TLS contexts and loads the system's authorities into both, some
hundreds: much of what the import takes. Every session here brings a context of its own, the
kubeconfig's, so those two stay empty. Were one ever used, no server would be trusted.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ResolveResult", "aiohttp"]


@contextmanager
def _no_authorities() -> Iterator[None]:
    """Have OpenSSL find nothing where it looks for what everybody trusts."""
    where = ssl.get_default_verify_paths()
    keys = (where.openssl_cafile_env, where.openssl_capath_env)
    before = {key: os.environ.get(key) for key in keys}
    os.environ.update(dict.fromkeys(keys, os.devnull))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


with _no_authorities():
    import aiohttp
    from aiohttp.abc import ResolveResult
