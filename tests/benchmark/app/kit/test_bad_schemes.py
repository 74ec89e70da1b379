"""Bad schemes: each changes one thing of the starter, and is told where and what to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmark.app.kit.findings import CheckResult
from benchmark.app.kit.lab import TinyLab
from benchmark.app.kit.names import CHECKS
from benchmark.app.kit.new_plugin import STARTERS
from benchmark.app.kit.scheme_acts import scheme_findings
from benchmark.plugins.registry import Registry
from benchmark.plugins.source_reader import read_declarations

HEAD = """\
import os
from dataclasses import dataclass, replace
import torch
from torch import nn
from benchmark import contract as wm
from starter import MyScheme, MySchemeKey


@dataclass(frozen=True)
class Mine(MyScheme):
    name = "mine"
    settings = ("n=40,epochs=6",)
"""
TRIGGERS = """
    def trigger_key(self, images, secret, classes):
        return self.rebind(MySchemeKey(images=images, labels=images[:, 0, 0, 0].long(), classes=classes, secret=secret),
                           secret)

    def trigger_labels(self, images, secret, classes):
        return self.trigger_key(images, secret, classes).labels

    def triggers(self, key):
        return wm.Data(key.images, key.labels)
"""
HERE = "  # HERE\n"
FIRST = "    def keygen(self, party, rng):" + HERE + "        key = super().keygen(party, rng)\n"

# name: (the rest of the class, in which `# HERE` ends the line to blame, the check that fails, words)
BAD = {
    "system-s-randomness": (FIRST + "        return self.rebind(key, os.urandom(32))\n", "keys",
                            ["one stream gives two keys: draw from `rng` alone, wm.secret(rng)"]),
    "one-secret-for-all": (FIRST + "        return self.rebind(key, bytes(32))\n", "keys",
                           ["two streams give one secret"]),
    "key-of-another-type": (FIRST + "        return key.images\n", "keys",
                            ["keygen returned a Tensor: return a MySchemeKey"]),
    "fails-at-a-setting": ('    settings = ("n=40,epochs=6", "n=7")\n' + FIRST.replace(HERE, "\n") +
                           "        return key if self.n > 7 else key.nothing  # HERE\n", "keys",
                           ["AttributeError: 'MySchemeKey' object has no attribute 'nothing': mend that line"]),
    "returns-the-model": ("    def embed(self, owner, key):" + HERE + "        return owner.build()\n", "embeds",
                          ["embed returned a Stack: return wm.Marked(model, key)"]),
    "marks-a-bare-net": ("    def embed(self, owner, key):" + HERE + "        return wm.Marked(nn.Linear(2, 2), key)\n",
                         "embeds", ["Linear has no spec()", '`@wm.builder("my-net")`']),
    "wants-a-host": ("    def embed(self, owner, key):\n        return wm.Marked(owner.host, key)  # HERE\n", "embeds",
                     ["LookupError", "this scheme has no host: declare `host = True`"]),
    "trains-nothing-in": ("    def embed(self, owner, key):\n        return wm.Marked(owner.build(), key)\n"
                          "    def observe(self, suspect, key, court):" + HERE +
                          "        return super().observe(suspect, key, court)\n", "mark",
                          ["the fresh mark is not found (", "of 40 pictures", "must train in what observe() counts"]),
    "law-left-out": ("    def observe(self, suspect, key, court):" + HERE +
                     '        return wm.Observations("pictures", {"pictures": wm.Channel(torch.ones(40) > 0)})\n',
                     "mark",
                     ["null_law = 'exact' is declared, and its evidence has no law: write null_law = 'none'"]),
    "channel-without-a-name": ("    def observe(self, suspect, key, court):" + HERE +
                               "        found = super().observe(suspect, key, court)\n"
                               '        return replace(found, evidence="triggers")\n', "mark",
                               ["the evidence 'triggers' is no channel of what it returns: name one"]),
    "chance-made-small": ("    def observe(self, suspect, key, court):" + HERE +
                          "        hits = super().observe(suspect, key, court).channels['pictures'].items\n"
                          "        law = wm.binomial(0.001)\n"
                          '        return wm.Observations("pictures", {"pictures": wm.Channel(hits, law)})\n',
                          "innocents", ["unmarked models are accused: the law given to the Channel must say how"]),
    "labels-at-will": ("    def rebind(self, key, secret):" + HERE +
                       "        labels = torch.arange(len(key.images)) % key.classes\n"
                       "        return replace(key, labels=labels, secret=secret)\n", "key",
                       ["the key is as good with another secret", "such as wm.prf_labels"]),
    "key-changed-afterwards": ("    def embed(self, owner, key):\n        made = super().embed(owner, key)\n"
                               "        return replace(made, key=replace(made.key, labels=1 * (key.labels < 5)))\n"
                               "    def rebind(self, key, secret):" + HERE +
                               "        return super().rebind(key, secret)\n", "key",
                               ["the owner's own key is not admissible (the labels do not follow from the secret)"]),
    "forgets-its-task": ("    def embed(self, owner, key):" + HERE + "        marks = wm.Data(key.images, key.labels)\n"
                         "        model = owner.fit(owner.build(), owner.recipe(epochs=80), data=marks)\n"
                         "        return wm.Marked(model, key)\n",
                         "task", ["points worse at its task than an unmarked one: train longer, on the task beside"]),
    "everybody-s-generator": ("    def embed(self, owner, key):" + HERE + "        made = super().embed(owner, key)\n"
                              "        with torch.no_grad():\n"
                              "            made.model.head.bias += 1e-3 * torch.rand(10)\n        return made\n",
                              "repeats", ["two runs from one seed differ (in head.bias): draw from owner.rng and rng"]),
    "paints-the-owner-s-images": ("    def embed(self, owner, key):" + HERE + "        owner.data.x[0] = 0\n"
                                  "        return super().embed(owner, key)\n", "shared",
                                  ["it wrote into the owner's images: clone what is changed"]),
    "promises-too-much": ('    capabilities = ("triggers",)\n', "capabilities",
                          ["it declares the capability 'triggers' and lacks trigger_key and trigger_labels and"]),
    "promises-too-little": (TRIGGERS, "capabilities",
                            ["it has all methods of the capability 'triggers' and doesn't say so: write capabilities"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> TinyLab:
    return TinyLab("classification", Registry.discover())


def findings(folder: Path, rest: str, lab: TinyLab) -> list[CheckResult]:
    """What is found until the first fault, which is included."""
    (folder / "starter.py").write_text((STARTERS / "scheme.py").read_text())
    path = folder / "mine.py"
    path.write_text(HEAD + rest)
    (declaration,) = read_declarations(path)
    lab.__dict__.pop("owner_data", None)  # what one plug-in wrote is no matter of the next
    found: list[CheckResult] = []
    for one in scheme_findings(declaration, lab):
        found.append(one)
        if one.fault:
            break
    return found


@pytest.mark.parametrize("name", BAD)
def test_a_bad_scheme_is_told_where_and_what_to_write(tmp_path: Path, lab: TinyLab, name: str) -> None:
    rest, check, words = BAD[name]
    found = findings(tmp_path, rest, lab)
    bad = found[-1]
    assert bad.check == check, bad
    assert [one.check for one in found] == list(CHECKS["scheme"])[: len(found)]
    source = (HEAD + rest).splitlines()
    lines = [number for number, text in enumerate(source, 1) if text.endswith("# HERE")]
    where = f"{tmp_path / 'mine.py'}:{lines[0] if lines else source.index('class Mine(MyScheme):') + 1}"
    assert re.match(rf"{re.escape(where)}: ", bad.fault), bad.fault
    assert "\n" not in bad.fault
    for word in words:
        assert word in bad.fault


def test_the_starter_passes_every_check_and_uses_the_file_beside_it(tmp_path: Path, lab: TinyLab) -> None:
    found = findings(tmp_path, "", lab)
    assert [(one.check, one.fault) for one in found] == [(check, "") for check in CHECKS["scheme"]]
