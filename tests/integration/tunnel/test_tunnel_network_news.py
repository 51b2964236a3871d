"""News of the network, from a kernel whose network changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio, subprocess, sys
sys.path.insert(0, sys.argv[1])
from tpconfig.tunnel import nudges

async def main():
    told = asyncio.Queue()
    async with nudges.open_nudges(told.put_nowait):
        subprocess.run(["ip", "address", "add", "10.99.0.1/32", "dev", "lo"], check=True)
        print(await asyncio.wait_for(told.get(), 10), told.qsize())

asyncio.run(main())
"""


def test_a_new_address_nudges_once() -> None:
    """In a network of its own: an address, and the route that comes with it, are one change."""
    command = ["unshare", "--user", "--map-root-user", "--net"]
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no network namespace to be had: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == ("the network has changed 0\n", "")
