"""The documentation site: `make site` builds it from the repository as it stands; no notebook is run."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tools.links import pages, repository  # noqa: E402

DEPLOYED = pages(repository())

project = html_title = "MR-VAE"
copyright = "the MR-VAE authors"
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "notebooks/*.ipynb", "site/api.md"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]

nb_execution_mode = "off"
nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "code"  # a docstring's `name`
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

# One file that needs neither a network nor fonts.
MATHJAX = Path(find_spec("mathjax").origin).parent / "static/mathjax/es5/tex-svg.js"  # type: ignore[union-attr,arg-type]
mathjax_path = MATHJAX.name

html_theme = "furo"
html_static_path = [str(MATHJAX), "site.css", "site.js"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_theme_options = {"source_repository": f"https://github.com/{repository()}/", "source_branch": "main",
                      "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0072b2"},
                      "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"}}

GLOSSARY_ROWS = re.findall(r"^\| \*\*(.+?)\*\* \|", (ROOT / "GLOSSARY.md").read_text(), re.MULTILINE)
WORDS = {word: nodes.make_id(f"word-{row}") for row in GLOSSARY_ROWS for word in row.lower().split(", ")}


def adapt(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the front page the table of contents; give a lesson its number, and fold its solutions."""
    if docname == root_doc:
        source[0] += (ROOT / "site" / "contents.md").read_text()
    if docname.startswith("notebooks/"):
        numbered = source[0].replace('"# ', f'"# {Path(docname).name[:2]} · ', 1)
        source[0] = numbered.replace('"solution"', '"solution", "hide-input"')


def link_words(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link the first bold use of a word of the glossary to its row there."""
    unlinked = dict(WORDS)
    for strong in list(doctree.findall(nodes.strong)):
        if docname == "GLOSSARY":
            strong["ids"].append(nodes.make_id(f"word-{strong.astext()}"))
        elif row := unlinked.pop(strong.astext().lower(), None):
            address = f"{app.builder.get_relative_uri(docname, 'GLOSSARY')}#{row}"
            strong[:] = [nodes.reference("", "", *strong, internal=True, refuri=address)]


def stay_on_this_site(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let links to the deployed site lead to the same page of the site that is built, wherever it lies."""
    for part in {"body", "furo_navigation_tree"} & set(context):
        text = context[part].replace(DEPLOYED, context["content_root"])
        # What the theme leaves out: a heading's level, and a way for the keyboard into a wide piece of code.
        text = text.replace('role="heading"', 'role="heading" aria-level="2"')
        context[part] = text.replace("<pre>", '<pre tabindex="0">')


def setup(app: Sphinx) -> None:
    """What Sphinx calls to know the three functions above."""
    app.connect("source-read", adapt)
    app.connect("doctree-resolved", link_words)
    app.connect("html-page-context", stay_on_this_site, priority=900)  # after the theme's
