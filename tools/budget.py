"""How much there is to read: prints the counts of `mrvae_lib` beside their budgets and fails when one is exceeded.

The budgets stand in pyproject.toml, under [tool.mrvae.budget]. A line of code is one that is neither blank, nor a
comment, nor part of a docstring.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import tomllib
from pathlib import Path

import mrvae_lib

ROOT = Path(__file__).parent.parent
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code_lines(path: Path) -> int:
    """The lines of code of one Python file."""
    source = path.read_text(encoding="utf-8")
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", [])
        # A function has one docstring; a module and a class may also say what a name means, below it.
        told_by = body[:1] if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else body
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            texts = [part for part in told_by if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
                     and isinstance(part.value.value, str)]
            told |= {line for text in texts for line in range(text.lineno, (text.end_lineno or text.lineno) + 1)}
    used = {line for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in LAYOUT
            for line in range(token.start[0], token.end[0] + 1)}
    return len(used - told)


def counts() -> dict[str, int]:
    """What the budget is about, by the names it has there."""
    package = {path: code_lines(path) for path in sorted((ROOT / "mrvae_lib").rglob("*.py"))}
    return {
        "code_lines": sum(package.values()),
        "modules": sum(lines > 0 for lines in package.values()),
        "lines_of_the_longest_module": max(package.values()),
        "public_names": len(mrvae_lib.__all__),
        "test_lines": sum(map(code_lines, (ROOT / "tests").rglob("*.py"))),
    }


def main() -> int:
    """Print each count beside its budget; 1 if one is exceeded."""
    budgets = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mrvae"]["budget"]
    exceeded = []
    for name, count in counts().items():
        print(f"{name.replace('_', ' '):28} {count:6,} of {budgets[name]:,}")
        exceeded += [name] if count > budgets[name] else []
    if exceeded:
        print(f"over budget: {', '.join(exceeded)}; write less, or raise [tool.mrvae.budget] in pyproject.toml")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
