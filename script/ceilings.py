"""Fails where a file of tpconfig/ has more than 350 lines, or a function more than 40.

Past that a name is missing.
"""

import ast
import sys
from pathlib import Path

FILE_LINES = 350
FUNCTION_LINES = 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Say what is too long; return how many."""
    found: list[str] = []
    for path in sorted(Path("tpconfig").rglob("*.py")):
        text = path.read_text()
        if (lines := text.count("\n")) > FILE_LINES:
            found.append(f"{path}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function) and node.end_lineno is not None:
                long = node.end_lineno - node.lineno + 1
                if long > FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno}: {node.name} has {long} lines")
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return len(found)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
