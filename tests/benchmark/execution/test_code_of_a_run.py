"""A plug-in's code in a run: edited meanwhile, drawing outside its stream, registering a builder that is taken."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

from bench import COMMAND, arguments, bench_here, bench_plugin, records, verdicts

HEAD = """
from dataclasses import dataclass
from pathlib import Path
import os
import random
import time
import numpy as np
import torch
from torch import nn
from benchmark.contract import Attack, AttackResult, Thief, builder

"""
ATTACK = '''
@dataclass(frozen=True)
class Mine(Attack):
    """A plug-in under test."""

    name = "mine"
    family = "test"
    kind = "removal"

    def run(self, thief: Thief):
'''


def test_a_file_edited_during_a_run_leaves_no_result(finished: Path, tmp_path: Path) -> None:
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    plugin = tmp_path / "mine.py"
    good = HEAD + ATTACK + "        return thief.model\n"
    plugin.write_text(good)
    slow = tmp_path / "slow.py"
    slow.write_text(
        (
            HEAD + ATTACK + "        print('slow has begun')\n        time.sleep(1)\n        return thief.model\n"
        ).replace('"mine"', '"slow"')
    )
    options = ["--workers", "1", "--plugin", str(slow), "--plugin", str(plugin)]
    command = arguments(results, *options, attacks="slow+slow,slow+mine")  # alike in length
    run = subprocess.Popen([*COMMAND, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    logs = results / "store" / "logs"  # all that a thief of somebody else's can write into and a test can read
    while time.monotonic() < deadline:
        if any("slow has begun" in path.read_text(errors="replace") for path in logs.glob("thief-*.log")):
            break
        time.sleep(0.05)
    plugin.write_text(good.replace("return thief.model", "return nn.Identity()"))
    run.communicate(timeout=120)
    assert run.returncode == 3
    found = {attack: line for (_, attack, innocent), line in verdicts(results).items() if not innocent}
    assert found["slow+mine"]["verdict"] == "crashed"
    assert "changed after the plan was made" in found["slow+mine"]["reason"]
    plugin.write_text(good)
    assert bench_here(*command)[0] == 0
    found = {attack: line for (_, attack, innocent), line in verdicts(results).items() if not innocent}
    assert found["slow+mine"]["verdict"] == "survived"


def test_draws_outside_the_stream_are_seeded_by_name(finished: Path, tmp_path: Path) -> None:
    """numpy, random and torch's global generator: equal in other code, and when the job runs anew."""
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    body = """        with torch.no_grad():
            weight = next(w for w in thief.model.parameters() if w.dim() > 1)
            weight += 0.05 * (torch.randn_like(weight) + float(np.random.randn()) + random.random())
        return thief.model
"""

    def run(code: str) -> None:
        bench_plugin("mine.py", HEAD + ATTACK + code, tmp_path, results, "mine")

    def made() -> dict[str, str]:
        return {
            id: json.dumps([one["result"]["artefacts"], one["result"]["utility"]], sort_keys=True)
            for id, one in records(results).items()
            if one["kind"] == "attacked" and one["job"]["stages"][0]["name"] == "mine"
        }

    run(body)
    assert len(set(made().values())) == 2  # the marked and the innocent model
    before = made()
    run(body + "# a remark\n")
    assert made() == before  # nothing ran
    run(body + "UNUSED = 1\n")
    utilities = [json.loads(one)[1]["correct"] for one in made().values()]
    assert len(utilities) == 4
    assert len(set(utilities)) == 2
    both = made()
    for id in both.keys() - before.keys():
        (results / "store" / "records" / id[:2] / f"{id}.json").unlink()
    run(body + "UNUSED = 1\n")
    assert made() == both


def test_two_builders_of_one_name_are_refused(tmp_path: Path) -> None:
    plugins = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.py"
        filter_ = '@builder("dim")\nclass Dim(nn.Module):\n    def spec(self):\n        return {"builder": "dim"}\n'
        path.write_text((HEAD + filter_ + ATTACK + "        return thief.model\n").replace('"mine"', f'"{name}"'))
        plugins += ["--plugin", str(path)]
    code, _, error = bench_here("list", *plugins)
    assert (code, "the builder name 'dim' is taken by" in error) == (2, True)
    path = tmp_path / "one.py"
    path.write_text(path.read_text().replace('"dim"', '"convnet"'))
    assert "the builder name 'convnet' is taken by" in bench_here("list", "--plugin", str(path))[2]
