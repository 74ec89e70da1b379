"""docs/own-model.md: its commands, run in their order."""

from __future__ import annotations

import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from bench import bench_here
from lab import Exhibit

from .suspect_forms import fill, save
from .test_forms import FUNCTIONS

PAGE = Path(__file__).parents[4] / "docs" / "own-model.md"


def test_the_commands_of_the_page_do_what_it_says(
    owner: Path, marked: Exhibit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.findall(r"^```(\w*)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    blocks = [block for language, block in found if not language]  # the others are of other programs
    embed, *commands = [line for block in blocks for line in block.splitlines()]
    assert embed == "bench embed --scheme adi --out mine"
    commands = [line for line in commands if not line.startswith("bench embed")]  # into nets that lie elsewhere
    shutil.copytree(owner, tmp_path / "mine")
    path = save(marked.service.net.module().eval(), tmp_path / "suspect.pt")
    (tmp_path / "suspects.py").write_text(FUNCTIONS.format(path=str(path)))
    if find_spec("onnx") and find_spec("onnxruntime"):
        save(marked.service.net.module().eval(), tmp_path / "suspect.onnx")
    else:
        commands = [line for line in commands if ".onnx" not in line]
    monkeypatch.chdir(tmp_path)
    for line in commands:
        _, command, *words = shlex.split(line)
        code, said, error = bench_here(command, *words, "--device", "cpu")
        assert code == 0, error
        assert ("Verdict: present" in said) == (command == "verify"), line
        if command == "ask":
            fill(tmp_path / "questions", marked.service.running())
    assert "Verdict: present" in (tmp_path / "page.html").read_text()
