"""The README's code runs as it stands."""

import re

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_the_library_examples_run(tmp_path, monkeypatch):
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples[0].strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(examples), "README.md", "exec"), {"__name__": "readme"})


def test_every_notebook_is_in_the_table_and_every_local_link_leads_somewhere():
    for notebook in ROOT.glob("notebooks/*.ipynb"):
        assert notebook.name in README
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_first_commands_exist_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
