"""What must hold of a scheme, tried in the tiny lab by the acts of a run, and judged as a cell is."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmark.app.kit.common_acts import (
    check_results,
    must_answer_alike,
    must_leave_process,
    must_repeat,
    seed_generators,
)
from benchmark.app.kit.findings import (
    CheckResult,
    Fault,
    blamed,
    differing_part,
    maker,
    rebuilt,
)
from benchmark.app.kit.lab import SIGNIFICANCE, TinyLab, shortened
from benchmark.architectures.blocks import BUILDERS
from benchmark.architectures.net import Net
from benchmark.execution.processes.plugin_class import place
from benchmark.execution.processes.process_state import ProcessState
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import load
from benchmark.protocol import scheme as protocols
from benchmark.protocol.objects import Key, Marked, Running, Service
from benchmark.protocol.parties import Owner, Party, stream
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from leaderboard.judge.evidence import weigh

_RESTED_ON = ("keys", "embeds", "mark")  # after one of these failed, the others mean nothing
_CAPABILITIES: Mapping[str, type] = {
    "triggers": protocols.TriggerScheme, "overwrite": protocols.OverwriteScheme,
    "passports": protocols.PassportScheme, "carriers": protocols.CarrierScheme,
}  # fmt: skip
_LAWS: Mapping[str, set[str | None]] = {
    "exact": {"binomial", "poisson-binomial"},
    "redrawn": {"redrawn"},
    "none": {None},
}
_COSTS = {"classification": (0.05, "points"), "image-to-image": (1.0, "dB")}  # more than a mark may take of the task
_ACCUSED = 2  # of the unmarked models: one may be by chance


def scheme_findings(declaration: Declaration, lab: TinyLab) -> Iterator[CheckResult]:
    """Every check in their order; after one that failed, those that rest on it are left out."""
    case = _Case(declaration, lab)
    return check_results("scheme", case, _RESTED_ON, case.type.embed, declaration.source)


class _Case:
    def __init__(self, declaration: Declaration, lab: TinyLab) -> None:
        self.declaration, self.lab, self.file = declaration, lab, declaration.source
        self.type: Any = load(declaration)
        self.builders = set(BUILDERS)  # those that the file registers when it is imported
        self.before = ProcessState()
        self.images = lab.owner_data.copy()
        self.first = declaration.traits["settings"][0]

    def line(self, method: str) -> str:
        return place(getattr(self.type, method))

    def keys(self) -> str:
        """At every setting a key can be drawn, of the declared form, by whoever has a stream and images."""
        for text in self.declaration.traits["settings"]:
            with blamed(self.type, self.file):
                scheme: Scheme[Any] = self.type(**self.declaration.read(text))
            mine, again, other = (self._drawn(scheme, name) for name in ("owner-key", "owner-key", "thief"))
            if mine.secret != again.secret:
                raise Fault(f"{self.line('keygen')}: one stream gives two keys: draw from `rng` alone, wm.secret(rng)")
            if mine.secret == other.secret:
                raise Fault(f"{self.line('keygen')}: two streams give one secret: draw it from `rng`, wm.secret(rng)")
        return f"drawn at {len(self.declaration.traits['settings'])} settings"

    def _drawn(self, scheme: Scheme[Any], stream_name: str) -> Key:
        party: Party = self.lab.owner(scheme)
        with blamed(self.type.keygen, self.file):
            key: Any = scheme.keygen(party, stream(0, stream_name, scheme.name))
        if not isinstance(key, scheme.key_type):
            wanted = scheme.key_type.__name__
            raise Fault(f"{self.line('keygen')}: keygen returned a {type(key).__name__}: return a {wanted}")
        return key

    def embeds(self) -> str:
        """A model is marked at the first setting, with all the training that it asks for."""
        with blamed(self.type, self.file):
            self.scheme: Scheme[Any] = self.type(**self.declaration.read(self.first))
        began = time.perf_counter()
        self.service, self.made_key, self.module = self._embedded(self.scheme, 1)
        return f"{time.perf_counter() - began:.1f} s"

    def _embedded(self, scheme: Scheme[Any], seed: int) -> tuple[Service, Key, nn.Module]:
        """By `steps.embed`."""
        seed_generators(seed)
        model = _watched(scheme, self.file)
        with blamed(self.type.embed, self.file):
            service, key = self.lab.embedded(scheme)
        return service, key, model[-1]

    def key(self) -> str:
        """The owner's key is admissible, survives storage, and is no good with another secret."""
        key, scheme = self.made_key, self.scheme
        with blamed(self.type.rebind, self.file):
            found = scheme.admissible(key)
            other = scheme.admissible(dataclasses.replace(key, secret=bytes(32)))
        if not (found.well_formed and found.bound):
            raise Fault(
                f"{self.line('rebind')}: the owner's own key is not admissible ({found.reason}): every field must have "
                "its declared form and be what rebind() makes from its secret"
            )
        if found.hash_bound and other.bound:
            raise Fault(
                f"{self.line('rebind')}: the key is as good with another secret: labels or bits must follow from the "
                "secret by a public rule, such as wm.prf_labels, or a claimant could choose them"
            )
        with tempfile.TemporaryDirectory() as folder, blamed(self.type.key_type, self.file):
            path = Path(folder) / "x.key.safetensors"
            again = artefacts.read_key(path, "x", artefacts.write(path, "x", key), scheme.key_type)
            part = differing_part(again, key)
        if part is not None:
            raise Fault(
                f"{place(self.type.key_type)}: {part} of a key changes when it is stored: use a tensor or bytes"
            )
        return "admissible, and stored as it is"

    def mark(self) -> str:
        """The fresh mark is found, by the law that is declared, where no failure is expected."""
        with blamed(self.type.observe, self.file):
            (self.seen,) = self.lab.observed(self.scheme, self.made_key, [self.service])
            self.clean = self.lab.observed(self.scheme, self.made_key, [*self.lab.nulls, self.lab.innocent])
        where = self.line("observe")
        if self.seen["unreadable"]:
            raise Fault(f"{where}: the court can't read the owner's own model: {self.seen['unreadable']}")
        if self.seen["evidence"] not in self.seen["channels"]:
            raise Fault(f"{where}: the evidence {self.seen['evidence']!r} is no channel of what it returns: name one")
        law = self.seen["channels"][self.seen["evidence"]].get("law")
        declared, kind = self.declaration.traits["null_law"], law and law["kind"]
        if kind not in _LAWS[declared]:
            right = next(name for name, kinds in _LAWS.items() if kind in kinds)
            raise Fault(
                f"{where}: null_law = {declared!r} is declared, and its evidence has {kind or 'no'} law: write "
                f"null_law = {right!r}, or give the Channel its law"
            )
        fresh = weigh(self.seen, {"clean": self.clean[:-1]}, SIGNIFICANCE)
        expected = self.declaration.expected("expected_failures", self.declaration.read(self.first))
        if fresh.state != "present" and not expected:
            raise Fault(
                f"{where}: the fresh mark is not found ({fresh.total:g} of {fresh.n} {self.declaration.traits['item']}s"
                f", p = 1e{fresh.log10_p:.1f}): embed() must train in what observe() counts; train longer, or use more"
            )
        return f"{fresh.total:g} of {fresh.n} {self.declaration.traits['item']}s, p = 1e{fresh.log10_p:.0f}"

    def innocents(self) -> str:
        """Unmarked models are not accused: by the law alone where there is one, else by the other unmarked models."""
        exact = self.declaration.traits["null_law"] != "none"
        if exact:
            accused = sum(weigh(one, {}, SIGNIFICANCE).state == "present" for one in self.clean)
        else:
            accused = _ACCUSED * (weigh(self.clean[-1], {"clean": self.clean[:-1]}, SIGNIFICANCE).state == "present")
        if accused >= _ACCUSED:
            raise Fault(
                f"{self.line('observe')}: unmarked models are accused: the law given to the Channel must say how often "
                "an item of a fresh key is a hit in any model, and items must be independent"
            )
        return f"{len(self.clean)} unmarked models are not accused"

    def task(self) -> str:
        """The marked model does its task about as well as unmarked ones, which were trained more shortly."""
        most, unit = _COSTS[self.lab.kind]
        with blamed(self.type.embed, self.file):
            marked = self.lab.utility(self.lab.answers(self.service))
        usual = self.lab.utility(self.lab.answers(self.lab.innocent))
        scale = 100 if unit == "points" else 1
        if marked < usual - most:
            raise Fault(
                f"{self.line('embed')}: the marked model is {scale * (usual - marked):.1f} {unit} worse at its task "
                "than an unmarked one: train longer, on the task beside the mark, or mark less"
            )
        return f"{scale * (usual - marked):+.1f} {unit} against an unmarked model"

    def repeats(self) -> str:
        """Two owners of one seed get equal models and keys, byte by byte."""
        scheme = shortened(self.declaration, self.first)
        (one, key, _), (other, again, _) = (self._embedded(scheme, seed) for seed in (1, 2))
        with blamed(self.type.embed, self.file):
            part = differing_part(one, other) or differing_part(key, again)
        return must_repeat(part, self.line("embed"), "owner.rng and rng")

    def shared(self) -> str:
        """The owner's images and the settings of the process are as they were."""
        if not torch.equal(self.lab.owner_data.x, self.images.x) or not torch.equal(
            self.lab.owner_data.y, self.images.y
        ):
            raise Fault(f"{self.line('embed')}: it wrote into the owner's images: clone what is changed")
        return must_leave_process(self.before, self.line("embed"))

    def rebuilds(self) -> str:
        """From spec and tensors alone comes a model with the same answers."""
        blame = maker(self.module, self.type.embed)
        stored, x = rebuilt(self.service, self.builders, blame), self.lab.test.images()[:64]
        with blamed(blame, self.file):
            mine, its = (one.ask(x, "outputs").detach() for one in (Running(self.module.eval()), stored.running()))
        return must_answer_alike(mine, its, stored, blame)

    def capabilities(self) -> str:
        """What it says it offers to attacks, and that alone, and that fresh keys can be drawn where a law says so."""
        declared = self.declaration.traits["capabilities"]
        for name, protocol in _CAPABILITIES.items():
            wanted = [one for one in vars(protocol) if not one.startswith("_")]
            missing = [one for one in wanted if not hasattr(self.scheme, one)]
            if name in declared and missing:
                raise Fault(
                    f"{place(self.type)}: it declares the capability {name!r} and lacks {' and '.join(missing)}: write "
                    f"the methods of {protocol.__name__}, or leave the word out"
                )
            if name not in declared and not missing:
                raise Fault(
                    f"{place(self.type)}: it has all methods of the capability {name!r} and doesn't say so: write "
                    f"capabilities = {(*declared, name)!r}, so that attacks find it"
                )
        if self.declaration.traits["null_law"] != "none":
            with blamed(self.type.rebind, self.file):
                fresh = self.scheme.redraw(self.made_key, stream("redraw"))
                if not self.scheme.admissible(fresh).bound:
                    raise Fault(f"{self.line('rebind')}: a key that redraw() makes is not bound to its secret")
        return ", ".join(declared) or "none"


def _watched(scheme: Scheme[Any], file: Path) -> list[nn.Module]:
    """Where the model that this scheme marks will be, which a stored service doesn't tell; what is none is a Fault."""
    found: list[nn.Module] = []
    embed: Callable[..., Any] = scheme.embed
    method = type(scheme).embed

    def watched(owner: Owner, key: Key) -> Marked:
        made = embed(owner, key)
        if not isinstance(made, Marked):
            wanted = "return wm.Marked(model, key)"
            raise Fault(f"{place(method)}: embed returned a {type(made).__name__}: {wanted}")
        if not isinstance(made.key, scheme.key_type):
            wanted = f"return wm.Marked(model, key) with a {scheme.key_type.__name__}"
            raise Fault(f"{place(method)}: embed returned a {type(made.key).__name__} as its key: {wanted}")
        with blamed(maker(made.model, method), file):
            Net.of(made.model)
        found.append(made.model)
        return made

    object.__setattr__(scheme, "embed", watched)
    return found
