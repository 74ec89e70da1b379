"""Positive controls: what an attack leaves of a mark, beside plain fine-tuning of as many steps on the same images.

`python tests/attacks/controls.py --attack fst --attack 'seam(lr=0.1)' --scheme adi --seeds 3`. One row a seed, by the
thief of the quick profile. The plain columns train all layers, at the rate of `finetune` and at the attack's own, on
the labels that the attack bought, or on the thief's alone where it bought none. `--marks FOLDER` keeps the marked
models for the next call; it doesn't see that a scheme's code has changed.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).parents[2] / room) for room in (".", "tests", "tests/support"))

from conftest import SharedLab
from lab import Exhibit, Lab

from attacks.finetune import STEPS, Finetune
from benchmark.data.splits import Holdings, thief_data
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry, load
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.protocol.objects import Release
from benchmark.protocol.parties import NotApplicable, stream
from benchmark.protocol.steps import steal
from leaderboard.judge.evidence import weigh

HEAD = ("attack", "scheme", "seed", "hits", "log10 p", "accuracy", "plain: hits", "accuracy", "steps", "seconds")


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


def like(lab: Lab, one: Exhibit, lr: float, replicate: int) -> Finetune:
    """Fine-tuning of all layers with at least the steps of `one` and the labels that it had."""
    images, bought = held(lab, replicate), one.cost.queries > 0
    once = max(1, len(images if bought else images.labelled) // lab.context.recipe.batch)
    epoch = once * -(-STEPS // once)  # steps of an epoch of `finetune`
    epochs = max(1, -(-one.cost.meter.steps // epoch))
    return Finetune(lr=lr, epochs=epochs, data="bought" if bought else "labelled")


@cache
def tuned(lab: Lab, tuning: Finetune, marked: Exhibit, scheme: Any, replicate: int) -> Exhibit:
    return attacked(lab, [tuning], marked, scheme, replicate)


def rows(lab: Lab, attack: Any, scheme: Any, replicates: range) -> Any:
    """Cells of the table, a row a seed."""
    stages = [load(one.declaration)(**one.parameters) for one in attack.stages]
    (made,) = scheme.stages
    scheme_of = load(made.declaration)(**made.parameters)
    rates = dict.fromkeys([Finetune().lr, *(one.lr for one in stages if hasattr(one, "lr"))])
    for replicate in replicates:
        marked = lab.embed(scheme_of, replicate)

        def seen(exhibit: Exhibit, marked: Exhibit = marked) -> tuple[int, float]:
            observation = lab.observe(scheme_of, exhibit, marked.key)
            found = weigh(observation, {"clean": []}, 1e-3) if not observation["unreadable"] else None
            return lab.total(observation), (found.log10_p_key or 0.0) if found else 0.0

        start = time.process_time()
        try:
            after = attacked(lab, stages, marked, scheme_of, replicate)
        except NotApplicable as reason:
            yield attack.label, scheme.label, str(replicate), f"not applicable: {reason}"
            continue
        seconds = time.process_time() - start
        same = [like(lab, after, lr, replicate) for lr in rates if after.cost.meter.steps]
        controls = [tuned(lab, one, marked, scheme_of, replicate) for one in same]
        hits, p = seen(after)
        yield (
            attack.label, scheme.label, str(replicate), f"{seen(marked)[0]} -> {hits}", f"{p:.1f}",
            f"{100 * marked.accuracy:.1f} -> {100 * after.accuracy:.1f}",
            " / ".join(f"{seen(one)[0]} at lr {lr:g}" for lr, one in zip(rates, controls, strict=False)),
            " / ".join(f"{100 * one.accuracy:.1f}" for one in controls), str(after.cost.meter.steps), f"{seconds:.1f}",
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attack", action="append", required=True, help="as for bench run; may be given several times")
    parser.add_argument("--scheme", action="append", required=True, help="as for bench run; may be given several times")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--marks", type=Path, help="where marked models are kept; without it they are not")
    given = parser.parse_args()
    if given.marks:
        given.marks.mkdir(parents=True, exist_ok=True)
    registry, lab = Registry.discover(), SharedLab(given.marks) if given.marks else Lab()
    print("| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD), flush=True)
    for scheme in (one for text in given.scheme for one in select_schemes(text, registry)):
        for attack in (one for text in given.attack for one in select_attacks(text, registry)):
            for row in rows(lab, attack, scheme, range(given.seeds)):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
