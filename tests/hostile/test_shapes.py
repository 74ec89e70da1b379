"""A net with a class more, that never wins, or with one less. It crashed its cell, and nobody was judged."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from bench import PROFILE, bench_here, copied, records, verdicts
from hostile_runs import ADI, PLUGINS, run
from safetensors import safe_open
from safetensors.torch import save_file

KEYNET = "keynet(epochs=6)"  # reads as well as after its 15


def test_a_dummy_class_is_no_way_out(base: Path, tmp_path: Path) -> None:
    """Utility refused answers of another shape, and a court that reads probabilities could not multiply them."""
    results = copied(base, tmp_path)
    run(results, "classes,classes(more=-1)", PLUGINS / "shapes.py", schemes=f"{ADI},{KEYNET}")
    found = verdicts(results).items()
    seen = {(key[0].partition("(")[0], key[1]): line["verdict"] for key, line in found if not key[2]}
    for scheme in ("adi", "keynet"):
        assert seen[scheme, "classes"] == "survived"
        assert seen[scheme, "classes(more=-1)"] in ("survived", "removed", "utility-lost", "undecided")


def test_verify_reads_a_model_with_a_dummy_class(base: Path, tmp_path: Path) -> None:
    """It refused the file, so whoever added a class could not be accused."""
    marks = [one for one in records(base).values() if one["kind"] == "marked"]
    marked = next(one["id"] for one in marks if one["job"]["scheme"]["name"] == "adi")
    model, key = (next((base / "store").rglob(f"{marked}.{role}.safetensors")) for role in ("service", "key"))
    with safe_open(model, "pt") as file:
        artefact = json.loads(file.metadata()["artefact"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    artefact["header"]["net"]["spec"]["classes"] += 1
    tensors["net.head.weight"] = F.pad(tensors["net.head.weight"], (0, 0, 0, 1))
    tensors["net.head.bias"] = torch.cat([tensors["net.head.bias"], torch.tensor([-100.0])])
    save_file(tensors, tmp_path / "wider.safetensors", {"artefact": json.dumps(artefact)})
    where = "--profile", str(PROFILE), "--results", str(copied(base, tmp_path)), "--device", "cpu", "--workers", "1"
    files = "--model", str(tmp_path / "wider.safetensors"), "--key", str(key)
    code, said, error = bench_here("verify", "--scheme", ADI, *files, *where, "--json")
    assert code == 0, error
    assert json.loads(said)["verdict"] == "present"
