"""A run with plug-ins from a folder as users have it: helpers, packages of any name, a notebook's environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bench import COMMAND, arguments, records, stamps, verdicts

from benchmark.execution.job_context import Changed, load_source
from benchmark.planning.job import PluginSource

ROOT = Path(__file__).resolve().parents[3]
HEAD = "from dataclasses import dataclass\nimport torch\nfrom benchmark import contract as wm\n"
FILES = {
    "helper.py": "import torch\nfrom lib.sizes import share\ndef weaken(net):\n    with torch.no_grad():\n"
    "        [p.mul_(1 - share) for p in net.parameters() if p.dim() > 1]\n    return net\n",
    "lib/sizes.py": "share = 0.01\n",
    "random.py": "raise SystemExit('not this one')\n",
    "attacks/__init__.py": "raise SystemExit('not this one')\n",
    "benchmark/__init__.py": "raise SystemExit('not this one')\n",
    "my weaken.py": HEAD + "from helper import weaken\n@dataclass(frozen=True)\nclass Weaken(wm.Attack):\n"
    "    name = 'weaken'; family = 'toys'; kind = 'removal'\n"
    "    def run(self, thief):\n        return weaken(thief.model)\n",
    "masked.py": HEAD + "from torch.nn.utils import prune\n@dataclass(frozen=True)\nclass Masked(wm.Attack):\n"
    "    name = 'masked'; family = 'toys'; kind = 'removal'\n    def run(self, thief):\n"
    "        for part in thief.model.modules():\n            if isinstance(part, torch.nn.Conv2d):\n"
    "                prune.l1_unstructured(part, 'weight', amount=0.3)\n        return thief.model\n",
    "half.py": "from dataclasses import dataclass\nfrom attacks.prune import Prune\n@dataclass(frozen=True)\n"
    "class Half(Prune):\n    name = 'half'\n    settings = ('amount=0.3',)\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_plugins_of_a_user_s_folder_run_to_verdicts(finished: Path, folder: Path) -> None:
    results = shutil.copytree(finished, folder / "results", copy_function=shutil.copy2)
    plugins = [word for name in ("my weaken.py", "masked.py", "half.py") for word in ("--plugin", name)]
    command = arguments(results, *plugins, attacks="weaken,masked,half(amount=0.3),prune(amount=0.3)")
    path = os.pathsep.join([str(folder), str(ROOT)])
    surroundings = os.environ | {"PYTHONPATH": path, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}

    def run() -> dict[str, dict[str, str]]:
        done = subprocess.run([*COMMAND, *command], cwd=folder, env=surroundings, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return {attack: line for (_, attack, innocent), line in verdicts(results).items() if not innocent}

    found = run()
    assert {attack: line["verdict"] for attack, line in found.items()} == dict.fromkeys(found, "survived")
    assert len(found) == 4
    half, prune = found["half(amount=0.3)"], found["prune(amount=0.3)"]
    assert [half[name] for name in ("agreement", "accuracy")] == [prune[name] for name in ("agreement", "accuracy")]
    before = stamps(results)
    run()
    assert stamps(results) == before
    (folder / "lib/sizes.py").write_text("share = 0.02\n")  # a file that a file beside the plug-in imports
    run()
    again = [record for id, record in records(results).items() if f"{id}.json" not in before]
    assert {one["name"] for record in again if record["kind"] == "attacked" for one in record["job"]["stages"]} == {
        "weaken"
    }


@pytest.mark.parametrize(
    "texts", [{}, {"toy.py": "x = = 1\n"}, {"toy.py": "import helper\n", "helper.py": "x = = 1\n"}]
)
def test_what_is_gone_or_torn_has_changed_since_the_plan(tmp_path: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(Changed, match=r"toy\.py changed after the plan was made"):
        load_source(PluginSource(str(tmp_path / "toy.py"), "Toy", "0" * 64))
