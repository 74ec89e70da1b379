"""Positive controls: what an attack leaves of a mark, beside plain training of as many steps on the same images.

`python tests/attacks/controls.py --attack fst --attack 'seam(lr=0.1)' --scheme adi --seeds 3`. One row a seed, by the
thief of the quick profile. The plain columns train all layers, at the rate of `finetune` and at the attack's own, on
the labels that the attack bought, or on the thief's alone where it bought none. Of nets from image to image, whose
weights no thief has, they train a plain surrogate. `--marks FOLDER` keeps unmarked and marked models for the next call;
it doesn't see that a scheme's code has changed. `--out FILE` keeps the records, from which `--page` makes
docs/controls.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).parents[2] / room) for room in (".", "tests", "tests/support"))

import torch
from conftest import SharedLab
from control_table import DOCS, page
from lab import Exhibit, Lab

from attacks.copies.surrogate import Surrogate
from attacks.finetune import STEPS, Finetune
from benchmark.data.splits import Holdings, thief_data
from benchmark.errors import NotApplicable
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry, load
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.protocol.objects import Release
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import steal
from leaderboard.judge.evidence import weigh

HEAD = ("attack", "scheme", "seed", "hits", "log10 p", "accuracy", "plain: hits", "accuracy", "steps", "seconds")


def laboratory(kind: str, marks: Path | None) -> Lab:
    """A lab whose image nets are trained for as long as the profile's, which those of tests are not."""
    lab = SharedLab(marks, kind) if marks else Lab(kind)
    track = load_profile("quick").track([kind])
    assert track is not None
    lab.context = context_of(track.world(), torch.device("cpu"))
    return lab


def held(lab: Lab, replicate: int) -> Holdings:
    """What the thief of the quick profile uses in this seed; what he holds out is left out."""
    profile = load_profile("quick").track([lab.context.task.kind])
    assert profile is not None
    pool, few = lab.splits.thief, profile.thief.thieves(lab.context.task)[0].labelled
    rng = stream(replicate, "thief-data", lab.context.task.name)
    return thief_data(pool, few, len(pool) - few, rng, lab.context.task.kind)[0]


def attacked(lab: Lab, stages: Any, marked: Exhibit, scheme: Any, replicate: int) -> Exhibit:
    release = Release(marked.service, scheme.release)
    images = held(lab, replicate)
    service, claim, cost = steal(stages, lab.context, images, replicate, release, scheme, marked.key)
    return lab._exhibit(service, claim, cost)


def like(lab: Lab, one: Exhibit, lr: float, replicate: int) -> Finetune | Surrogate:
    """Plain training with at least the steps of `one` and the labels that it had; a surrogate's rate is the house's."""
    images, bought = held(lab, replicate), one.cost.queries > 0
    once = max(1, len(images if bought else images.labelled) // lab.context.recipe.batch)
    if maps_images(lab):
        return Surrogate(epochs=-(-one.cost.meter.steps // once))
    epoch = once * -(-STEPS // once)  # steps of an epoch of `finetune`
    epochs = max(1, -(-one.cost.meter.steps // epoch))
    return Finetune(lr=lr, epochs=epochs, data="bought" if bought else "labelled")


def maps_images(lab: Lab) -> bool:
    return bool(lab.context.task.kind == "image-to-image")


def observed(lab: Lab, scheme: Any, exhibit: Exhibit, marked: Exhibit) -> dict[str, Any]:
    """What a court finds that has the key of `marked`, and its net to align weights to."""
    found: dict[str, Any] = lab.observe(scheme, exhibit, marked.key, marked)
    return found


@cache
def copied(lab: Lab, index: int) -> Exhibit:
    """A surrogate of an unmarked net, by a thief who has all of his pool: no seed draws from its stream."""
    release = Release(lab.null(index).service, "outputs")
    service, _, _ = steal([Surrogate()], lab.context, lab.splits.thief, -1 - index, release, None, None)
    return lab._exhibit(service)


@cache
def innocents(lab: Lab, scheme: Any, marked: Exhibit) -> dict[str, list[dict[str, Any]]]:
    """The same of as many unmarked models as the quick profile has, and of surrogates of those, where it has them."""
    profile = load_profile("quick").track([lab.context.task.kind])
    assert profile is not None
    pools = {"clean": [lab.null(index) for index in range(profile.nulls)]}
    if maps_images(lab):
        pools["surrogates"] = [copied(lab, index) for index in range(profile.nulls)]
    return {name: [observed(lab, scheme, one, marked) for one in pool] for name, pool in pools.items()}


@cache
def tuned(lab: Lab, tuning: Finetune | Surrogate, marked: Exhibit, scheme: Any, replicate: int) -> Exhibit:
    return attacked(lab, [tuning], marked, scheme, replicate)


def rows(lab: Lab, attack: Any, scheme: Any, replicates: range) -> Iterator[dict[str, Any]]:
    """Records, one a seed; `reason` is all that there is of an attack that can't be run."""
    stages = [load(one.declaration)(**one.parameters) for one in attack.stages]
    (made,) = scheme.stages
    scheme_of = load(made.declaration)(**made.parameters)
    own = [] if maps_images(lab) else [one.lr for one in stages if hasattr(one, "lr")]
    rates = dict.fromkeys([lab.context.recipe.lr if maps_images(lab) else Finetune().lr, *own])
    for replicate in replicates:
        marked = lab.embed(scheme_of, replicate)
        row: dict[str, Any] = {"attack": attack.label, "scheme": scheme.label, "seed": replicate}
        row |= {"unit": "dB"} if maps_images(lab) else {}

        def seen(exhibit: Exhibit, marked: Exhibit = marked) -> dict[str, Any]:
            observation, accuracy = observed(lab, scheme_of, exhibit, marked), round(exhibit.accuracy, 4)
            if observation["unreadable"]:  # no mark was read: none is proved
                return {"hits": 0, "accuracy": accuracy, "unreadable": True, "log10_p": 0.0}
            found = weigh(observation, innocents(lab, scheme_of, marked), 1e-3)
            total = found.total if found.kind == "count" else round(found.total, 3)
            figures = {"hits": total, "of": found.n, "accuracy": accuracy}
            views = {name: view.total for name, view in found.views.items()}
            return figures | ({"views": views} if views else {}) | {"log10_p": round(found.log10_p, 2)}

        start = time.process_time()
        try:
            after = attacked(lab, stages, marked, scheme_of, replicate)
        except NotApplicable as reason:
            yield row | {"reason": str(reason)}
            continue
        seconds = time.process_time() - start
        same = {lr: like(lab, after, lr, replicate) for lr in rates if after.cost.meter.steps}
        plain = [{"lr": lr, **seen(tuned(lab, one, marked, scheme_of, replicate))} for lr, one in same.items()]
        was, now = seen(marked), seen(after)
        yield row | {
            "of": was["of"],
            "hits": [was["hits"], now["hits"]], "accuracy": [was["accuracy"], now["accuracy"]],
            "plain": plain, "steps": after.cost.meter.steps, "seconds": round(seconds, 1),
            **{name: now[name] for name in ("log10_p", "views", "unreadable") if name in now},
        }  # fmt: skip


def shown(row: dict[str, Any]) -> str:
    """A record as a row of the table that is printed."""
    name = [row["attack"], row["scheme"], str(row["seed"])]
    if "reason" in row:
        return " | ".join([*name, f"not applicable: {row['reason']}"])
    factor = 1 if row.get("unit") == "dB" else 100
    change = " -> ".join(f"{factor * one:.1f}" for one in row["accuracy"])
    return " | ".join([
        *name, f"{row['hits'][0]} -> {row['hits'][1]}", f"{row['log10_p']:.1f}", change,
        " / ".join(f"{one['hits']} at lr {one['lr']:g}" for one in row["plain"]),
        " / ".join(f"{factor * one['accuracy']:.1f}" for one in row["plain"]), str(row["steps"]), str(row["seconds"]),
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attack", action="append", default=[], help="as for bench run; may be given several times")
    parser.add_argument("--scheme", action="append", default=[], help="as for bench run; may be given several times")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first seed; 100 and up for trials")
    parser.add_argument("--out", type=Path, help="file of JSON lines to which the records are added")
    parser.add_argument("--page", action="store_true", help="write docs/controls.md from the records, at the end")
    parser.add_argument("--marks", type=Path, help="where marked models are kept; without it they are not")
    given = parser.parse_args()
    if given.marks:
        given.marks.mkdir(parents=True, exist_ok=True)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
    registry = Registry.discover()
    labs = {kind: laboratory(kind, given.marks) for kind in ("classification", "image-to-image")}
    seeds = range(given.first, given.first + given.seeds)
    print("| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD), flush=True)
    for scheme in (one for text in given.scheme for one in select_schemes(text, registry)):
        for attack in (one for text in given.attack for one in select_attacks(text, registry)):
            for row in rows(labs[scheme.tasks[0]], attack, scheme, seeds):
                print(f"| {shown(row)} |", flush=True)
                if given.out and "reason" not in row:
                    with given.out.open("a") as out:
                        out.write(json.dumps(row) + "\n")
    if given.page:
        (DOCS / "controls.md").write_text(page())


if __name__ == "__main__":
    main()
