"""Escapes in files and plug-ins never reach a terminal, whichever command prints them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from bench import COMMAND

from benchmark.errors import printable

PUBLISHED = Path(__file__).parents[2] / "leaderboard" / "published" / "reproduce-adi-small"
EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp\u2028\x9b31m"

PLUGIN = f'''
from dataclasses import dataclass
from benchmark import contract as wm

@dataclass(frozen=True)
class Mine(wm.Attack):
    """Innocent{EVIL.encode("unicode_escape").decode()}."""
    name = "mine"
    family = "test"
    kind = "removal"
    access = "weights"
    paper = {EVIL!r}
    amount: float = wm.parameter(0.5, {EVIL!r})

    def run(self, thief: wm.Thief):
        return thief.model
'''


def test_printable_keeps_every_script() -> None:
    assert printable("α × 水印 é") == "α × 水印 é"
    assert printable("a\tb\r\n\x00\u202e") == "a b    "
    assert not set(printable(EVIL + "\ud800")) & set(EVIL) - set("]0;owned[2Jgnp31m")
    assert printable("\ud800") == " "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder whose one run has escapes in every text, and a plug-in and a profile that have them, too."""
    results = tmp_path_factory.mktemp("evil")
    (results / "evil").mkdir()
    run = json.loads(gzip.decompress((PUBLISHED / "run.json.gz").read_bytes()))
    records = map(json.loads, gzip.decompress((PUBLISHED / "records.jsonl.gz").read_bytes()).splitlines())
    old, new = "finetune(mode=ftll,lr=0.01,epochs=10)", f"finetune{EVIL}"
    text = json.dumps(run).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    run = json.loads(text)
    run |= {"command": f"bench run {EVIL}", "created": EVIL, "run": EVIL}
    (results / "evil" / "run.json").write_text(json.dumps(run))
    spoilt = [
        {**one, "status": "crashed", "reason": EVIL, "result": {}} if one["kind"] == "attacked" else one
        for one in records
    ]
    (results / "evil" / "records.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in spoilt))
    (results / "mine.py").write_text(PLUGIN)
    (results / "mine.toml").write_text(
        f'about = "x"\n"{EVIL.encode("unicode_escape").decode()}" = 1\n'.replace("\\x", "\\u00")
    )
    return results


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "evil", "evil"),
        ("list", "--plugin", "mine.py"),
        ("describe", "mine", "--plugin", "mine.py"),
        ("describe", EVIL),
        ("run", "--profile", "mine.toml"),
        ("show", "adi(mode=scratch,lr=0.05)", f"finetune{EVIL}", "--results", ".", "--run", "evil"),
        ("status", "--results", ".", "--run", "evil"),
        ("report", "--results", ".", "--run", EVIL),
    ],
    ids=lambda words: words[0],
)
def test_no_command_passes_escapes_on(folder: Path, words: tuple[str, ...]) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, env={**os.environ, "PYTHONPATH": root}, capture_output=True, timeout=200
    )
    shown = (done.stdout + done.stderr).decode()
    assert shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e", "\u2028", "\x9b"}
