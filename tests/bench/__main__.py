"""``python -m tests.bench``: what ``docs/performance.md`` quotes, all of it in one run.

Needs a cluster: ``TP_TEST_KUBECONFIG``, else the rig. Prints a table with ratios to
``kubectl port-forward`` and to a bare Pod, and with ``--json`` the figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import datapath, loading, loopback, many, starting
from tests.bench.place import Place, open_place


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each start-up figure (median)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--many", type=int, metavar="N", help="only: N workloads in one command")
    parser.add_argument("--data", action="store_true", help="only: the data path")
    parser.add_argument("--loopback", action="store_true", help="only: no cluster, TCP beside it")
    parser.add_argument("--idle", type=int, metavar="N", help="only: N idle connections")
    parser.add_argument("--files", action="store_true", help="only: loading; needs no cluster")
    options = parser.parse_args()
    if options.files:
        print(json.dumps(loading.measure(max(options.runs, 7)), indent=2))
        return
    if options.loopback:
        print(json.dumps(loopback.measure(options.runs), indent=2))
        return
    if options.idle:
        print(json.dumps(loopback.idle(options.idle), indent=2))
        return
    with (
        tempfile.TemporaryDirectory(prefix="tp-bench-") as folder,
        open_place(Path(folder)) as place,
    ):
        if options.many:
            figures = many.measure(place, options.many, many.audit_log())
        elif options.data:
            figures = datapath.measure(place)
        else:
            figures = measure(place, options.runs)
    if options.json or options.many or options.data:
        print(json.dumps(figures, indent=2))
    else:
        print(table(figures))


def measure(place: Place, runs: int) -> dict[str, Any]:
    """Take every figure, one after the other."""
    say("tp --help")
    figures: dict[str, Any] = {"help_s": median(starting.help_s(place), runs)}
    figures |= loading.measure(max(runs, 7))
    say("a bare Pod, and tp up")
    pods, ups = [], []
    for number in range(runs):
        pods.append(starting.bare_pod_s(place, number))
        ups.append(starting.up_s(place))
    figures["bare_pod_s"], figures["up_s"] = statistics.median(pods), statistics.median(ups)
    say("saving the file")
    place.call(place.tp("up", "-d"))
    figures["save_s"] = statistics.median(starting.saves_s(place, 2 * runs))
    place.call(place.tp("down"))
    say("the data path")
    return figures | datapath.measure(place)


def median(take: Any, runs: int) -> float:
    """Return the median of several takes."""
    return statistics.median(take() for _ in range(runs))


def table(figures: dict[str, Any]) -> str:
    """Lay the figures out as Markdown."""
    rows = [
        ("`tp --help`", f"{figures['help_s']:.3f} s", ""),
        (
            "a file of 3,000 lines, loaded and checked",
            f"{figures['file_3000_lines_ms']:.0f} ms",
            "",
        ),
        ("a file of 5 lines", f"{figures['file_5_lines_ms']:.1f} ms", ""),
        ("bare Pod, create to Ready", f"{figures['bare_pod_s']:.2f} s", ""),
        (
            "`tp up`, start to command runs",
            f"{figures['up_s']:.2f} s",
            f"{figures['up_s'] / figures['bare_pod_s']:.2f} x a bare Pod",
        ),
        ("file saved to command runs with it", f"{figures['save_s'] * 1000:.0f} ms", ""),
    ]
    peer = figures["kubectl"]
    for way in ("out", "in"):
        ours = figures[way]
        for key, unit in (
            ("request_ms", "ms"),
            ("connect_ms", "ms"),
            ("down_mbs", "MB/s"),
            ("up_mbs", "MB/s"),
        ):
            ratio = f"{ours[key] / peer[key]:.2f} x kubectl's {peer[key]} {unit}"
            rows.append((f"{way}: {key.rsplit('_', 1)[0]}", f"{ours[key]} {unit}", ratio))
    lines = ["| what | tp | against |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def say(what: str) -> None:
    """Tell what is being measured."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
