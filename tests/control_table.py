"""Records of positive controls, and docs/controls.md, the table of them; tests/attacks/controls.py makes both."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
BUDGET = {"points": 0.02, "dB": 1.0}  # what an attack may cost; the quick profile itself allows 0.05 of accuracy, 1 dB
ALPHA = -3  # log10 of the p-value from which on a mark counts as there
INTRO = """\
# Positive controls

What an attack leaves of a mark, with the images and labels that the thief of the quick profile has, beside plain
fine-tuning of all layers with as many steps on the same images, at 0.01, the rate of `finetune` where none is given,
and at the attack's own. One line an attack and scheme, one figure a seed; accuracy is that on the judge's digits, in
percent. **Removed**: seeds in which the p-value of the mark ends above 0.001 at a loss of 2 points at most. **A
control** removes in 3 seeds or more, in all of which plain fine-tuning at `finetune`'s rate leaves the mark: *yes*,
or *at both rates* where plain fine-tuning at the attack's rate leaves it, too; *untrained* where the attack takes no
step that fine-tuning could take as well. Of a net whose weights the court can't compare with those that it knows, no
bit is read: *unreadable*. Behind the hits of such a court stand those of each of its views: the weights as they are,
and aligned to the delivered net's. deepmodel and deepmodel-bits mark images: there plain training is that of a
surrogate by the profile's recipe, accuracy is PSNR in dB, the loss may be 1 dB, and deepmodel's hits are the mean
projection over so many images.

Every line comes from records in `docs/controls/`, which are made by

```
python tests/attacks/controls.py --attack fst --scheme adi --first 200 --seeds 3 --out docs/controls/adi.jsonl
```

with the attack and the scheme of the line; `python tests/attacks/controls.py --page` writes this page.

"""
HEAD = ("attack", "scheme", "seeds", "hits", "accuracy", "plain: hits", "accuracy", "removed", "control")


def records() -> list[dict[str, Any]]:
    """All records; of two of one attack, scheme and seed the later line counts."""
    files = sorted((DOCS / "controls").glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return list({(one["scheme"], one["attack"], one["seed"]): one for one in lines}.values())


def removed(one: dict[str, Any]) -> bool:
    """Whether the mark is gone at a loss within the budget."""
    lost = one["accuracy"][0] - one["accuracy"][1]
    return bool(one["log10_p"] > ALPHA and lost <= BUDGET[one.get("unit", "points")] + 1e-9)


def page() -> str:
    """docs/controls.md."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for one in records():
        groups[one["scheme"], one["attack"]].append(one)
    rows = [cells(sorted(group, key=lambda one: one["seed"])) for _, group in sorted(groups.items())]
    return INTRO + "".join(f"| {' | '.join(row)} |\n" for row in [HEAD, ["---"] * len(HEAD), *rows])


def hits(one: dict[str, Any]) -> str:
    """Hits before and after the attack, in each of the views of the weights where the court has several."""
    views = ", ".join(f"{name} {round(total, 3)}" for name, total in one.get("views", {}).items())
    after = "unreadable" if one.get("unreadable") else f"{one['hits'][1]}{f' ({views})' if views else ''}"
    return f"{one['hits'][0]} → {after}"


def cells(group: list[dict[str, Any]]) -> list[str]:
    """The line of one attack and scheme."""
    rates = [plain["lr"] for plain in group[0]["plain"]]
    tuned = [[one["plain"][at] for one in group] for at in range(len(rates))]
    gone = [removed(one) for one in group]
    standing = [all(plain["log10_p"] <= ALPHA for plain in plains) for plains in tuned]
    control = "no" if sum(gone) < 3 or not all(standing[:1]) else "at both rates" if all(standing) else "yes"
    if control != "no" and not rates:
        control = "untrained"

    def figures(name: str, found: list[dict[str, Any]], factor: float, digits: int) -> str:
        return ", ".join(f"{factor * one[name]:.{digits}f}" for one in found)

    images, mean = group[0].get("unit") == "dB", isinstance(group[0]["hits"][0], float)
    factor = 1 if images else 100
    accuracy = (" → ".join(f"{factor * part:.1f}" for part in one["accuracy"]) for one in group)
    return [
        f"`{group[0]['attack']}`", f"`{group[0]['scheme']}`", ", ".join(str(one["seed"]) for one in group),
        f"{', '.join(map(hits, group))} {'in the mean of' if mean else 'of'} {group[0]['of']}", ", ".join(accuracy),
        "; ".join(
            f"{figures('hits', plains, 1, 2 * mean)} at {lr:g}" for lr, plains in zip(rates, tuned, strict=True)
        ),
        "; ".join(figures("accuracy", plains, factor, 1) for plains in tuned),
        f"{sum(gone)} of {len(gone)}", control,
    ]  # fmt: skip
