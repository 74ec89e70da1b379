"""No attack sees a key: neither through the Thief it is handed nor anywhere in its process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench import arguments, bench, records
from safetensors import safe_open

SPY = '''
import gc
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from benchmark.contract import Attack, AttackResult, Thief


@dataclass(frozen=True)
class Spy(Attack):
    """Writes down every byte it can reach: what hangs on the Thief, and what else lives in the process."""

    name = "spy"
    family = "test"
    kind = "removal"

    def run(self, thief: Thief) -> AttackResult:
        thief.model, thief.data, thief.inputs
        reached, open_objects = {}, [thief, *gc.get_objects()]
        while open_objects:
            one = open_objects.pop()
            if id(one) in reached:
                continue
            reached[id(one)] = one
            if not isinstance(one, (torch.Tensor, bytes, str)):
                open_objects.extend(gc.get_referents(one))
        with open(os.environ["SPY_REPORT"], "ab") as report:
            for one in reached.values():
                if isinstance(one, torch.Tensor) and type(one).__name__ != "FakeTensor":
                    try:
                        report.write(bytes(one.untyped_storage()))
                    except (RuntimeError, NotImplementedError):
                        pass  # a tensor without memory holds nothing
                elif isinstance(one, (bytes, bytearray)):
                    report.write(one)
                elif isinstance(one, str):
                    report.write(one.encode("utf-8", "surrogatepass"))
        return AttackResult()
'''
# V3 draws the images that V1 draws, hence the recipe: V1 ships its passports
SCHEMES = "adi(n=40,k=16,epochs=4),rose(epochs=2),passport,passport(version=v3,recipe=signed)"


def test_the_spy_finds_what_is_there_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, report, results = tmp_path / "spy.py", tmp_path / "report", tmp_path / "results"
    plugin.write_text(SPY)
    monkeypatch.setenv("SPY_REPORT", str(report))
    done = bench(*arguments(results, "--plugin", str(plugin), schemes=SCHEMES, attacks="fresh-key,spy"))
    assert done.returncode in (0, 3), done.stdout + done.stderr
    seen = report.read_bytes()
    marked = [record for record in records(results).values() if record["kind"] == "marked"]
    assert len(marked) == 4
    spied = [r for r in records(results).values() if r["kind"] == "attacked" and r["job"]["stages"][0]["name"] == "spy"]
    assert [record["status"] for record in spied] == ["ok"] * 5
    for record in marked:
        folder = results / "store" / "artefacts" / record["id"][:2]
        name = record["job"]["scheme"]["name"]
        with safe_open(folder / f"{record['id']}.service.safetensors", "pt") as file:  # the spy can see at all
            weights = file.get_tensor(next(k for k in file.keys() if k.endswith("head.weight")))  # noqa: SIM118
        assert weights.numpy().tobytes() in seen, f"the spy missed the released weights of {name}"
        key = results / "store" / "keys" / record["id"][:2] / f"{record['id']}.key.safetensors"
        for field, secret in secrets(key).items():
            if record["job"]["scheme"]["parameters"].get("version") == "v1" and field.startswith(("p_gamma", "p_beta")):
                continue  # V1 ships its passports
            assert secret not in seen, f"the thief's process holds {field} of {name}'s key"


def secrets(path: Path) -> dict[str, bytes]:
    """The raw bytes of every secret field of a stored key that is long enough to be told from chance."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["artefact"])["header"]
    found = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
    # key images one by one: they may lie scattered among others
    for name in [name for name, tensor in tensors.items() if tensor.dim() == 4 and len(tensor) > 1]:
        found |= {f"{name}[{i}]": image.numpy().tobytes() for i, image in enumerate(tensors[name])}
    found |= {name: bytes.fromhex(entry["bytes"]) for name, entry in header.items() if "bytes" in entry}
    assert any(len(secret) >= 32 for secret in found.values())
    return {name: secret for name, secret in found.items() if len(secret) >= 32}
