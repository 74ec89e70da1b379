"""Suspects of builders and filters that only a plug-in has, in a run, in `bench verify` and in a replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench import arguments, bench_here, bundle, copied, of_an_earlier_version, records, verdicts

PLUGIN = '''
from dataclasses import dataclass

import torch
from torch import nn

from benchmark import contract as wm


@wm.builder("wrapper")
class Wrapper(nn.Module):
    """Any net, unchanged but for its name, and for what it hides of itself."""

    def __init__(self, inner, hidden):
        super().__init__()
        self.inner, self.hidden = wm.build(inner), hidden

    def forward(self, x):
        if self.hidden:  # weights that follow from the images are no net's that anybody knows
            state = {name: one + 0 * x.sum() for name, one in self.inner.named_parameters()}
            return torch.func.functional_call(self.inner, state, (x,))
        return nn.functional.pad(self.inner(x), (0, 1), value=-1e4)

    def spec(self):
        return {"builder": "wrapper", "inner": self.inner.spec(), "hidden": self.hidden}


@wm.builder("noise")
class Noise(nn.Module):
    def __init__(self, drawn):
        super().__init__()
        self.drawn = drawn

    def spec(self):
        return {"builder": "noise", "drawn": self.drawn}

    def forward(self, x, draws):
        return x + 0.1 * (draws.normal(x.shape[1:]) if self.drawn else torch.randn_like(x))


@dataclass(frozen=True)
class Wrap(wm.Attack):
    """The stolen net in a module of the thief's own."""

    name = "wrap"
    family = "wrapping"
    kind = "function-preserving"
    hidden: bool = wm.parameter(False, "whether nobody can read what is inside")

    def run(self, thief):
        net = Wrapper(thief.model.spec(), self.hidden)
        net.inner.load_state_dict(thief.model.state_dict())
        return net


@dataclass(frozen=True)
class Noisy(wm.Attack):
    """A little noise on every query."""

    name = "noisy"
    family = "input-transform"
    kind = "evasion"
    access = "labels"
    drawn: bool = wm.parameter(True, "whether each image draws from a stream of its own")

    def run(self, thief):
        return wm.AttackResult(filters=(Noise(self.drawn),))
'''
ADI, PASSPORT = "adi(n=40,k=16,epochs=8)", "passport"
ATTACKS = "none,wrap,wrap(hidden=true),noisy,noisy(drawn=false)"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "stranger.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture(scope="module")
def results(base: Path, plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(base, tmp_path_factory.mktemp("strangers") / "results")
    options = ("--plugin", str(plugin), "--workers", "2")
    code, _, error = bench_here(*arguments(folder, *options, schemes=f"{ADI},{PASSPORT}", attacks=ATTACKS))
    assert code == 0, error
    return folder


def word(results: Path, scheme: str, attack: str) -> str:
    return next(
        str(cell["verdict"])
        for (one, other, innocent), cell in verdicts(results).items()
        if one.startswith(scheme) and other == attack and not innocent
    )


def test_unchanged_weights_in_a_builder_of_one_s_own_survive(results: Path) -> None:
    """The white-box court fits the operators into the net that was delivered; the other one only asks."""
    for scheme in ("adi", "passport"):
        assert word(results, scheme, "none") == word(results, scheme, "wrap") == "survived"


def test_a_net_that_nobody_can_read_is_unreadable_and_not_removed(results: Path) -> None:
    assert word(results, "passport", "wrap(hidden=true)") == "unreadable"
    assert word(results, "adi", "wrap(hidden=true)") == "survived"  # whoever asks for labels needs no net


def test_noise_from_the_court_s_streams_is_consistent_and_other_noise_is_not(results: Path) -> None:
    assert word(results, "adi", "noisy(drawn=false)") == "inconsistent"
    assert word(results, "adi", "noisy") != "inconsistent"
    (seen,) = (
        record["result"]["observations"][0]
        for record in records(results).values()
        if record["kind"] == "judged" and "inconsistent" in record["result"]["observations"][0]
        if len(record["result"]["observations"]) == 1 and record["job"]["key"] in record["job"]["ledger"]
        if is_marked(results, record)
    )
    assert "of the judge's images otherwise among other images" in seen["inconsistent"]


def is_marked(results: Path, judged: dict[str, Any]) -> bool:
    """Whether the suspect was made from a marked model."""
    found = records(results)
    target = found[judged["job"]["suspects"][0]]["job"].get("target")
    return target in found and found[target]["kind"] == "marked"


def model_of(results: Path, scheme: str, stage: str, **parameters: Any) -> Path:
    found = records(results)
    (id,) = (
        id
        for id, record in found.items()
        if record["kind"] == "attacked" and record["job"]["stages"][0]["name"] == stage
        if record["job"]["stages"][0]["parameters"] == parameters
        if found[record["job"]["target"]]["job"].get("scheme", {}).get("name") == scheme
    )
    return results / "store" / "artefacts" / id[:2] / f"{id}.service.safetensors"


@pytest.mark.parametrize(("hidden", "verdict"), [(False, "present"), (True, "unreadable")])
def test_verify_asks_it_in_a_process_of_its_own(results: Path, plugin: Path, hidden: bool, verdict: str) -> None:
    (marked,) = (
        id
        for id, record in records(results).items()
        if record["kind"] == "marked" and record["job"]["scheme"]["name"] == "passport"
    )
    key = results / "store" / "keys" / marked[:2] / f"{marked}.key.safetensors"
    model = model_of(results, "passport", "wrap", hidden=hidden)
    profile = str(Path(__file__).parents[2] / "small.toml")
    fixed = ("--scheme", PASSPORT, "--profile", profile, "--results", str(results), "--device", "cpu", "--json")
    code, said, error = bench_here("verify", "--model", str(model), "--key", str(key), "--plugin", str(plugin), *fixed)
    assert code == 0, error
    assert json.loads(said)["verdict"] == verdict
    code, _, error = bench_here("verify", "--model", str(model), "--key", str(key), *fixed)
    assert code == 2
    assert "its model can't be rebuilt" in error
    assert "or needs the --plugin that built it" in error


def test_a_replay_comes_to_the_same(results: Path, plugin: Path, tmp_path: Path) -> None:
    cell = bundle(results, tmp_path / "cell", PASSPORT, "wrap", "--plugin", str(plugin))
    code, said, error = bench_here("replay", str(cell), "--plugin", str(plugin), "--json")
    assert code == 0, error
    assert json.loads(said)["outcome"] == "equal"
    of_an_earlier_version(cell, "bits_aligned")
    code, said, error = bench_here("replay", str(cell), "--plugin", str(plugin), "--json")
    assert code == 0, error + said
    assert "the record of the suspect lacks alignment: its weights are read as they are" in json.loads(said)["notes"]
