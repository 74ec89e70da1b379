"""No attack sees a key: neither through the Thief it is handed nor anywhere in its process."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from bench import PROFILE, arguments, bench, records
from safetensors import safe_open

from benchmark.store.records import RecordStore

SPY = '''
import gc
import os
import socket
from dataclasses import dataclass

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
        place = "127.0.0.1", int(os.environ["SPY_PORT"])
        with socket.create_connection(place) as line, line.makefile("wb") as report:
            for one in reached.values():
                if isinstance(one, torch.Tensor) and type(one).__name__ != "FakeTensor":
                    try:
                        report.write(torch.empty(0, dtype=torch.uint8).set_(one.untyped_storage()).numpy())
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


def write_down(ear: socket.socket, report: Path) -> None:
    """Add to a file what every caller says, one after another."""
    with suppress(OSError), report.open("ab", buffering=0) as file:  # closed at the end
        while True:
            line, _ = ear.accept()
            with line, line.makefile("rb") as heard:
                shutil.copyfileobj(heard, file)


def test_the_spy_finds_what_is_there_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, results = tmp_path / "spy.py", tmp_path / "results"
    plugin.write_text(SPY)
    report, short = tmp_path / "report", tmp_path / "short.toml"
    short.write_text(PROFILE.read_text().replace("epochs = 5", "epochs = 1"))
    options = ("--plugin", str(plugin), "--profile", str(short))  # no verdict matters here
    with socket.create_server(("127.0.0.1", 0)) as ear:  # a thief can write to no file that stays
        monkeypatch.setenv("SPY_PORT", str(ear.getsockname()[1]))
        writer = threading.Thread(target=write_down, args=(ear, report), daemon=True)
        writer.start()
        done = bench(*arguments(results, *options, schemes=SCHEMES, attacks="fresh-key,spy"))
        ear.shutdown(socket.SHUT_RDWR)
        writer.join(60)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    seen = report.read_bytes()
    marked = [record for record in records(results).values() if record["kind"] == "marked"]
    assert len(marked) == 4
    spied = [r for r in records(results).values() if r["kind"] == "attacked" and r["job"]["stages"][0]["name"] == "spy"]
    assert [record["status"] for record in spied] == ["ok"] * 5
    for record in marked:
        store, name = RecordStore(results / "store"), record["job"]["scheme"]["name"]
        with safe_open(store.artefact_path(record["id"], "service"), "pt") as file:  # the spy can see at all
            weights = file.get_tensor(next(k for k in file.keys() if k.endswith("head.weight")))  # noqa: SIM118
        assert weights.numpy().tobytes() in seen, f"the spy missed the released weights of {name}"
        for field, secret in secrets(store.artefact_path(record["id"], "key")).items():
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
