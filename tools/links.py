"""Write the repository's name and the release's tag into badges and set-up cells: `make links REPO=owner/name`.

The name is kept in pyproject.toml, [tool.mrvae] repository; without an argument the links are written from there. The
tag is the version that stands there.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NAME = r"[\w.-]+/[\w-]+(?:\.[\w-]+)*"
LINKS = [
    rf"(?P<before>colab\.research\.google\.com/github/){NAME}(?P<after>/blob/)",
    rf"(?P<before>git\+https://github\.com/){NAME}(?P<after>)",
    rf"(?P<before>https://codespaces\.new/){NAME}(?P<after>)",
    rf"(?P<before>https://github\.com/){NAME}(?P<after>)",
]


def settings() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def repository() -> str:
    """The name in the one setting."""
    return settings()["tool"]["mrvae"]["repository"]


def tag() -> str:
    """The tag of the release that a set-up cell installs."""
    return f"v{settings()['project']['version']}"


def pages(name: str) -> str:
    """Where GitHub Pages shows the site of a repository."""
    owner, project = name.split("/")
    return f"https://{owner}.github.io/{project}/"


def linked_files() -> list[Path]:
    """Every file that names the repository."""
    return [ROOT / "README.md", ROOT / "CITATION.cff", ROOT / "CONTRIBUTING.md", ROOT / "site" / "contents.md",
            ROOT / "mrvae_lib" / "interactive" / "web" / "page.html", *sorted(ROOT.glob("notebooks/*.py")),
            *sorted(ROOT.glob("notebooks/*.ipynb"))]


def linked(text: str, name: str) -> str:
    """The text with every link to the repository naming `name`, and every set-up cell the tag."""
    for pattern in LINKS:
        text = re.sub(pattern, rf"\g<before>{name}\g<after>", text)
    text = re.sub(r"https://[\w-]+\.github\.io/[\w.-]+/(?=gallery/|site/)", pages(name), text)
    return re.sub(r"(for tag in \(\\*\")v[\w.]+", rf"\g<1>{tag()}", text)


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
