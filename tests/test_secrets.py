"""No key or password is in the repository; source 000 had its tracker's token in the code."""

import re
import subprocess

import pytest

from tests.conftest import ROOT

SECRET = re.compile(r"""(?i)(token|secret|passw(or)?d|api_?key)["']?\s*[:=]\s*["'][\w+/=.-]{16,}["']"""
                    r"|\bgh[pousr]_\w{30,}|\bAKIA[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY")
TEXT = {".py", ".toml", ".ini", ".md", ".yml", ".yaml", ".txt", ".cff", ".html", ".js", ".json", ".jsonl", ""}


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    paths = [ROOT / name for name in listed] or list((ROOT / "mrvae_lib").rglob("*"))
    return [path for path in paths if path.is_file() and path.suffix in TEXT]


def test_no_file_holds_a_secret():
    assert len(tracked()) > 50
    found = [path for path in tracked() if SECRET.search(path.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize("text", ['parser.add_argument("--neptune_api_token", default="x")\napi_token = "' + "a1B2" * 8 + '"',
                                  "TOKEN: '" + "0123456789abcdef" + "'", "ghp_" + "a" * 36])
def test_a_secret_would_be_found(text):
    assert SECRET.search(text)
