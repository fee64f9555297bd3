"""Write the repository's name into badges and set-up cells: `make links REPO=owner/name`.

The name is kept in pyproject.toml, [tool.mrvae] repository; without an argument the links are written from there.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAME = r"[\w.-]+/[\w-]+(?:\.[\w-]+)*"
LINKS = [
    rf"(?P<before>colab\.research\.google\.com/github/){NAME}(?P<after>/blob/)",
    rf"(?P<before>git\+https://github\.com/){NAME}(?P<after>)",
    rf"(?P<before>https://github\.com/){NAME}(?P<after>)",
]


def repository() -> str:
    """The name in the one setting."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mrvae"]["repository"]


def linked_files() -> list[Path]:
    """Every file that names the repository."""
    return [ROOT / "README.md", ROOT / "CITATION.cff", ROOT / "CONTRIBUTING.md",
            ROOT / "mrvae_lib" / "interactive" / "web" / "page.html", *sorted(ROOT.glob("notebooks/*.py")),
            *sorted(ROOT.glob("notebooks/*.ipynb"))]


def linked(text: str, name: str) -> str:
    """The text with every link to the repository naming `name`."""
    for pattern in LINKS:
        text = re.sub(pattern, rf"\g<before>{name}\g<after>", text)
    return text


def main(name: str | None) -> None:
    if name:
        if not re.fullmatch(NAME, name):
            sys.exit(f"REPO must be owner/name, got {name!r}")
        settings = ROOT / "pyproject.toml"
        settings.write_text(re.sub(rf'(?m)^repository = "{NAME}"$', f'repository = "{name}"', settings.read_text()))
    for path in linked_files():
        path.write_text(linked(path.read_text(), repository()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
