"""The agent's own code, as it travels with the Pod: a zip in the container's ``args``.

No further object and no further permission is needed, any image with Python 3.11 will do, and
client and agent are always the same version. The file system of the Pod may be read-only and its
user unknown, so the modules are imported from memory.
"""

from __future__ import annotations

import ast
import base64
import functools
import io
import zipfile
import zlib
from importlib import resources
from importlib.resources.abc import Traversable

LIMIT_BYTES = 100 * 1024
"""Below the kernel's limit for one argument (128 KiB) with room to spare."""

BOOTSTRAP = """\
import base64,importlib.abc,importlib.util,io,sys,zipfile,zlib
Z=zipfile.ZipFile(io.BytesIO(zlib.decompress(base64.b64decode(sys.argv[1]))))
N=set(Z.namelist())
class F(importlib.abc.MetaPathFinder,importlib.abc.Loader):
 def find_spec(s,n,p=None,t=None):
  f=n.replace('.','/')
  for q,k in((f+'/__init__.py',True),(f+'.py',False)):
   if q in N:
    m=importlib.util.spec_from_loader(n,s,origin=q,is_package=k)
    return m
 def exec_module(s,m):
  exec(compile(Z.read(m.__spec__.origin),m.__spec__.origin,'exec'),m.__dict__)
sys.meta_path.insert(0,F())
from tpconfig.agent.main import main
sys.exit(main())
"""

JANITOR_BOOTSTRAP = BOOTSTRAP.replace("tpconfig.agent.main", "tpconfig.janitor.main")

_PARTS = ("agent", "mux")
_FILES = ("__init__.py", "names.py")


@functools.cache
def packed() -> str:
    """Return the zip of ``tpconfig.agent`` and what it imports, as base64.

    The same sources give the same text, so that it can be compared and hashed.
    """
    return _packed(_sources(resources.files("tpconfig")))


@functools.cache
def packed_janitor() -> str:
    """Return the zip of ``tpconfig.janitor`` and of all that it imports of ours, as base64."""
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
    """Return the files of ours that a module's import statements may mean."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Import):
            modules |= {one.name for one in node.names}
    ours = [module.split(".") for module in modules if module.split(".")[0] == "tpconfig"]
    inits = [
        "/".join([*parts[1:index], "__init__.py"])
        for parts in ours
        for index in range(1, len(parts) + 1)
    ]
    return [*inits, *("/".join(parts[1:]) + ".py" for parts in ours if len(parts) > 1)]


def _packed(sources: list[tuple[str, bytes]]) -> str:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(sources):
            entry = zipfile.ZipInfo(f"tpconfig/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content)
    # Compressed as one: many small files of one author share their words.
    text = base64.b64encode(zlib.compress(out.getvalue(), 9)).decode()
    assert len(text) < LIMIT_BYTES, f"the code is {len(text)} bytes"
    return text


def _sources(root: Traversable) -> list[tuple[str, bytes]]:
    found = [(name, root.joinpath(name).read_bytes()) for name in _FILES]
    for part in _PARTS:
        for entry in root.joinpath(part).iterdir():
            if entry.name.endswith(".py"):
                found.append((f"{part}/{entry.name}", entry.read_bytes()))
    return found
