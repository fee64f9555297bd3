"""The site shows every lesson, document and public name; `make site` itself checks its links."""

import json
import re

import mrvae_lib
from tests.conftest import ROOT


def test_every_lesson_and_document_is_in_the_contents():
    contents = (ROOT / "site" / "contents.md").read_text()
    listed = {path.relative_to(ROOT).with_suffix("") for line in contents.splitlines() if re.fullmatch(r"[\w/*]+", line)
              for path in ROOT.glob(f"{line}.*")}
    pages = {path.relative_to(ROOT).with_suffix("") for glob in ("docs/*.md", "notebooks/*.ipynb") for path in ROOT.glob(glob)}
    assert pages <= listed


def test_every_public_name_is_in_the_reference():
    named = re.findall(r"^(?:\.\. auto\w+:: |## `)(\w+)", (ROOT / "site" / "api.md").read_text(), re.MULTILINE)
    assert set(mrvae_lib.__all__) <= set(named)
    assert set(mrvae_lib.widgets.__all__) <= set(named)


def test_a_codespace_is_set_up_by_a_target_of_the_makefile():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    target = container["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^(?:READY := )?{re.escape(target)}", (ROOT / "Makefile").read_text(), re.MULTILINE)
