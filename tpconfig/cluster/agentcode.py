"""The agent's own code, as it travels with the Pod: in the container's ``args``.

No further object and no further permission is needed, any image with Python 3.11 will do, and
client and agent are always the same version. The file system of the Pod may be read-only and its
user unknown, so the modules are imported from memory.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import zlib
from importlib import resources
from importlib.resources.abc import Traversable

from tpconfig import names

LIMIT_BYTES = 100 * 1024
"""Below the kernel's limit for one argument (128 KiB) with room to spare."""

_IMPORTER = """\
import base64,json,sys,zlib
from importlib.machinery import ModuleSpec
C=json.loads(zlib.decompress(base64.b64decode(sys.argv[1])))
class F:
 def find_spec(s,n,p=None,t=None):
  f=n.replace('.','/')
  for q,k in((f+'/__init__.py',True),(f+'.py',False)):
   if q in C:return ModuleSpec(n,s,origin=q,is_package=k)
 def create_module(s,p):return None
 def exec_module(s,m):
  q=m.__spec__.origin
  exec(compile(C[q],q,'exec'),m.__dict__)
sys.meta_path.insert(0,F())
"""
"""What a Pod runs first: it imports from memory what travels with it."""

_LISTEN = f"""\
import os,socket
try:L=socket.create_server(('127.0.0.1',json.loads(os.environ['{names.ENV_AGENT}'])['link_port']))
except Exception:L=None
"""
"""A link that arrives from now on waits, and need not come again: the rest takes a fifth of a
second to import. What goes wrong here goes wrong there again, where it is said."""

AGENT_BOOTSTRAP = f"""\
{_IMPORTER}{_LISTEN}from tpconfig.agent.main import main
sys.exit(main(L))
"""
JANITOR_BOOTSTRAP = f"""\
{_IMPORTER}from tpconfig.janitor.main import main
sys.exit(main())
"""

_IMPORT = re.compile(r"^\s*from (tpconfig(?:\.\w+)*) import (?:\(([^)]*)\)|(.+))", re.MULTILINE)
_PARTS = ("agent", "mux")
_FILES = ("__init__.py", "names.py")


@functools.cache
def packed() -> str:
    """Return the sources of ``tpconfig.agent`` and what it imports, as base64.

    The same sources give the same text, so that it can be compared and hashed.
    """
    return _packed(_sources(resources.files("tpconfig")))


@functools.cache
def packed_janitor() -> str:
    """Return the sources of ``tpconfig.janitor`` and of all that it imports of ours, as base64."""
    root = resources.files("tpconfig")
    found: dict[str, bytes] = {}
    left = [f"janitor/{entry.name}" for entry in root.joinpath("janitor").iterdir()]
    while left:
        name = left.pop()
        if name.endswith(".py") and name not in found and root.joinpath(name).is_file():
            found[name] = root.joinpath(name).read_bytes()
            left += _imported(found[name])
    return _packed(list(found.items()))


def _imported(source: bytes) -> list[str]:
    """Return the files of ours that a module's import statements may mean.

    Sources of ours say ``from tpconfig… import …`` and nothing else; a parser takes ten times as
    long.
    """
    modules: set[str] = set()
    for module, several, one in _IMPORT.findall(source.decode()):
        words = (several or one).replace(",", " ").split()
        modules |= {module, *(f"{module}.{word}" for word in words)}
    ours = [module.split(".") for module in modules]
    inits = [
        "/".join([*parts[1:index], "__init__.py"])
        for parts in ours
        for index in range(1, len(parts) + 1)
    ]
    return [*inits, *("/".join(parts[1:]) + ".py" for parts in ours if len(parts) > 1)]


def _packed(sources: list[tuple[str, bytes]]) -> str:
    # Compressed as one: many small files of one author share their words.
    whole = json.dumps({f"tpconfig/{name}": content.decode() for name, content in sorted(sources)})
    text = base64.b64encode(zlib.compress(whole.encode())).decode()
    assert len(text) < LIMIT_BYTES, f"the code is {len(text)} bytes"
    return text


def _sources(root: Traversable) -> list[tuple[str, bytes]]:
    found = [(name, root.joinpath(name).read_bytes()) for name in _FILES]
    for part in _PARTS:
        for entry in root.joinpath(part).iterdir():
            if entry.name.endswith(".py"):
                found.append((f"{part}/{entry.name}", entry.read_bytes()))
    return found
