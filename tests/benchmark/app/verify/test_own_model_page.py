"""docs/own-model.md: its commands, run in their order."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from bench import bench_here
from lab import Exhibit

from .suspect_forms import Server, fill, save
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


def test_what_is_signed_stays_as_it_was_when_an_address_is_asked(
    owner: Path, marked: Exhibit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature holds for every file of a folder, so it is of none in which a command writes, or a key lies."""
    lines = PAGE.read_text().splitlines()
    signed = {line.split()[-1] for line in lines if line.startswith(("model_signing sign", "model_signing verify"))}
    (copying,) = [line for line in lines if line.startswith("mkdir")]
    shutil.copytree(owner, tmp_path / "mine")
    for plain in ("state_dict.safetensors", "model.pt2"):  # which this owner has none of
        (tmp_path / "mine" / plain).touch()
    monkeypatch.chdir(tmp_path)
    subprocess.run(copying, shell=True, check=True)
    assert signed == {"release"}

    def listed() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path("release").iterdir()}

    before = listed()
    with Server(marked.service.running()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = ("--suspect", server.url, "--rate", "10000")
        code, said, error = bench_here("verify", "--key", "mine", "--device", "cpu", *address)
        server.shutdown()
    assert (code, "Verdict: present" in said) == (0, True), error
    assert list(Path("mine").glob("asked-*.jsonl"))
    assert listed() == before
    assert "key.safetensors" not in before
