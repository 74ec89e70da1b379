"""Bad attacks, each of a few lines: every fault is one sentence with file and line, and says what to write."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark.app.kit.attack_acts import attack_findings
from benchmark.app.kit.findings import CheckResult
from benchmark.app.kit.lab import TinyLab
from benchmark.app.kit.names import CHECKS
from benchmark.plugins.registry import Registry
from benchmark.plugins.source_reader import read_declarations

HEAD = """\
import random, sys
from dataclasses import dataclass
import numpy as np
import torch
from torch import nn
from benchmark import contract as wm

CALLS = []


def constant(layer):
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
"""
HERE = "  # HERE"


def attack(above: str, traits: str, body: str, blamed: bool) -> str:
    """A file with one attack; the line that is to blame, that of `run` where this is `blamed`, ends in `# HERE`."""
    kinds = textwrap.indent(f'name = "mine"\nfamily = "tests"\n{traits}\n', "    ")
    kind = "" if "kind =" in traits else '    kind = "removal"\n'
    run = f"    def run(self, thief):{HERE if blamed else ''}\n{textwrap.indent(body, '        ')}"
    return f"{HEAD}{above}\n@dataclass(frozen=True)\nclass Mine(wm.Attack):\n{kinds}{kind}\n{run}\n"


NET = """
@wm.builder("NAME")
class Net(nn.Module):BLAME
    def __init__(self, width=4):
        super().__init__()
        self.body = constant(nn.Linear(256, 10))
        self.scale = 1.0

    def forward(self, x):
        return self.body(x.flatten(1)) * self.scale

    def spec(self):
        return {"builder": "NAME"}
"""
FILTER = """
@wm.builder("NAME")
class Filter(nn.Module):
    def forward(self, x):
        return EXPRESSION

    def spec(self):
        return {"builder": "NAME"}
"""
NOISY = "with torch.no_grad():\n    for one in thief.model.parameters(): one += 1e-3 * DRAW\nreturn thief.model"

# name: (above the class, traits, body of run, whether its first line is to blame, the check that fails, its words)
BAD = {
    "no-spec": ("", "", "return nn.Linear(2, 2)", True, "runs", [
        "Linear has no spec(): a model is stored as tensors and a spec(), the JSON from which",
        '`@wm.builder("my-net")`', "return a net that thief.build() made"]),
    "own-net-without-spec": ("class Bare(nn.Linear):  # HERE\n    pass\n", "", "return Bare(256, 10)", False, "runs", [
        "Bare has no spec()", 'return {"builder": "my-net", "width": self.width}']),
    "returns-nothing": ("", "", "thief.model", True, "runs", ["returned NoneType: run() must return a Module"]),
    "returns-nan": ("", "", "with torch.no_grad(): thief.model.head.bias.fill_(float('nan'))\nreturn thief.model",
                    True, "runs", ["returned a model with NaN or infinity in head.bias"]),
    "raises": ("", "", "net = thief.model\nreturn net.no_such_layer  # HERE", False, "runs", [
        "AttributeError: 'Stack' object has no attribute 'no_such_layer': mend that line"]),
    "exits": ("", "", "sys.exit(3)  # HERE", False, "runs", ["it ends its process (SystemExit 3): return or raise"]),
    "never-applies": ("", "", "raise wm.NotApplicable('it needs 1,000 labels')  # HERE", False, "runs", [
        "it can't be run in this lab, so nothing of it was checked: it needs 1,000 labels"]),
    "hooked": ("", "", "thief.model.head.register_forward_hook(lambda *_: None)\nreturn thief.model", True, "runs", [
        "the Linear 'head' has a hook or another forward", "remove it"]),
    "later-setting": ("", 'settings = ("share=0.1", "share=0.9")\nshare: float = wm.parameter(0.1, "share")',
                      "if self.share > 0.5:\n    raise ValueError('too much')  # HERE\nreturn thief.model", False,
                      "runs", ["ValueError: too much: mend that line"]),
    "undeclared": ("", 'access = "labels"', "return thief.model  # HERE", False, "runs", [
        'mine declares access = "labels" and uses weights: write access = "weights" in its class']),
    "unknown-capability": ("", 'requires = "telepathy"', "return thief.model", True, "runs", [
        "requires = 'telepathy', and no scheme for its tasks offers that"]),
    "claims-nothing": ("", 'kind = "ambiguity"', "return thief.model", True, "result", [
        "its kind is ambiguity, and it claims nothing: return AttackResult(claim=key)"]),
    "claims-too-much": ("", 'access = "labels"', "return wm.AttackResult(claim=thief.keygen())", True, "result", [
        "its kind is removal, and it claims a key"]),
    "claims-another-key": ("@dataclass(frozen=True, kw_only=True)\nclass Odd(wm.Key):\n    pass\n",
                           'kind = "ambiguity"\naccess = "labels"',
                           "return wm.AttackResult(claim=Odd(secret=bytes(32)))", True, "result", [
                               "it claims a Odd, no AdiKey: draw one with thief.keygen()"]),
    "torch-s-generator": ("", "", NOISY.replace("DRAW", "torch.rand_like(one)"), True, "repeats", [
        "two runs from one seed differ (in ", "draw from thief.rng alone"]),
    "python-s-generator": ("", "", NOISY.replace("DRAW", "random.random()"), True, "repeats", ["Python's own"]),
    "remembers": ("", "", "CALLS.append(1)\n" + NOISY.replace("DRAW", "len(CALLS)"), True, "repeats", [
        "keep nothing from one run to the next"]),
    "spec-of-no-json": (NET.replace("NAME", "no-json").replace('{"builder"', '{"odd": torch.ones(1), "builder"')
                        .replace("BLAME", "").replace("width=4", "odd"), 'target = "none"\naccess = "none"',
                        "return Net(None)", True, "runs", ["can't be stored", "keep spec() plain JSON"]),
    "says-too-much": ("", "", "thief.ask(thief.inputs.float() / 255)\nreturn thief.build()", True, "access", [
        "it declares access = 'weights' and does the same with probabilities: write access = 'probabilities'"]),
    "changes-settings": ("", "", "np.seterr(divide='raise')\nreturn thief.model", True, "shared", [
        "it changed numpy.geterr for whatever runs next in its process: put it back"]),
    "sizes-left-out": (NET.replace("NAME", "sizes").replace("BLAME", HERE), 'target = "none"\naccess = "none"',
                       "net = Net()\nnet.body = constant(nn.Linear(256, 12))\nreturn net", False, "rebuilds", [
                           "does not take the tensors of the net (RuntimeError", "spec() must give the builder"]),
    "answers-left-out": (NET.replace("NAME", "answers").replace("BLAME", HERE), 'target = "none"\naccess = "none"',
                         "net = Net()\nnet.scale = 3.0\nreturn net", False, "rebuilds", [
                             "rebuilt from its spec() and tensors it answers otherwise", "an argument in spec()"]),
    "late-builder": ("", 'target = "none"\naccess = "none"',
                     NET.replace("NAME", "late").replace("BLAME", HERE).strip() + "\nreturn Net()",
                     False, "rebuilds", ["no builder is called 'late' once the file is imported", "at the top level"]),
    "random-filter": (FILTER.replace("NAME", "random").replace("EXPRESSION", "x + 0.5 * torch.rand_like(x)"),
                      'kind = "evasion"\naccess = "none"', "return wm.AttackResult(filters=(Filter(),))", True,
                      "rebuilds", ["it answers one image otherwise each time", "`forward(self, x, draws)`"]),
    "looks-around": (FILTER.replace("NAME", "batch").replace("EXPRESSION", "x.flip(0)"),
                     'kind = "evasion"\naccess = "none"', "return wm.AttackResult(filters=(Filter(),))", True,
                     "answers", ["otherwise among other images: an answer may depend on its own image alone"]),
    "keeps-nothing": ("", 'kind = "function-preserving"',
                      "with torch.no_grad(): thief.model.head.weight.mul_(-1)\nreturn thief.model", True, "answers", [
                          "its kind is function-preserving, and it keeps ", "of the answers: write kind = 'removal'"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> TinyLab:
    return TinyLab("classification", Registry.discover())


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = np.geterr()
    yield
    np.seterr(**before)  # type: ignore[arg-type]


def findings(path: Path, source: str, lab: TinyLab) -> list[CheckResult]:
    path.write_text(source)
    (declaration,) = read_declarations(path)
    return list(attack_findings(declaration, lab))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_attack_is_told_where_and_what_to_write(tmp_path: Path, lab: TinyLab, name: str) -> None:
    above, traits, body, first, check, words = BAD[name]
    source = attack(above, traits, body, first)
    path = tmp_path / "mine.py"
    found = findings(path, source, lab)
    (bad,) = [one for one in found if one.fault]
    assert bad.check == check, bad
    assert [one.check for one in found] == list(CHECKS["attack"])[: len(found)]
    line = 1 + next(number for number, text in enumerate(source.splitlines()) if text.endswith("# HERE"))
    assert re.match(rf"{re.escape(str(path))}:{line}: ", bad.fault), bad.fault
    assert "\n" not in bad.fault
    for word in words:
        assert word in bad.fault


GOOD = {
    "a subclass of a built-in": "from attacks.prune import Prune\n\n\n@dataclass(frozen=True)\nclass Half(Prune):\n"
    '    name = "half"\n    amount: float = wm.parameter(0.4, "share", low=0.0, high=1.0)\n',
    "an attack that is given the key": "@dataclass(frozen=True)\nclass Told(wm.OracleAttack):\n    name = 'told'\n"
    "    family = 'tests'\n    kind = 'oracle-removal'\n\n    def run(self, thief):\n"
    "        assert thief.key.labels.dim()\n        return thief.model\n",
    "a random filter that asks for draws": FILTER.replace("NAME", "drawn")
    .replace("(self, x)", "(self, x, draws)")
    .replace("EXPRESSION", "x + 0.1 * draws.normal(x.shape[1:])")
    + "\n\n@dataclass(frozen=True)\nclass Noise(wm.Attack):\n    name = 'noise'\n    family = 'tests'\n"
    "    kind = 'evasion'\n    access = 'none'\n\n    def run(self, thief):\n"
    "        return wm.AttackResult(filters=(Filter(),))\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_attack_passes_every_check(tmp_path: Path, lab: TinyLab, name: str) -> None:
    found = findings(tmp_path / "mine.py", HEAD + GOOD[name], lab)
    assert [(one.check, one.fault) for one in found] == [(check, "") for check in CHECKS["attack"]]
