"""`calibration.md`: the realised error rates of every scheme. Labels and reasons are untrusted text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboard import wording
from leaderboard.calibration import ALPHAS, CHANCE, Calibrated, Rate, allowed
from leaderboard.run import Run
from leaderboard.tables import escape, table


def calibration_page(run: Run, found: Sequence[Calibrated]) -> str:
    """The whole page."""
    parts = [
        f"# Realised error rates: {escape(run.described['run'])}",
        f"{run.profile['nulls']} unmarked models of the owner's architecture and data; command: "
        f"{escape(run.described['command'])}",
        "## Fresh keys",
        fresh_keys(found),
        "## Innocent models under the owner's key",
        pools(found),
        "## Power",
        power(found),
        *roc(found),
        *faults(found),
    ]
    return "\n\n".join(parts) + "\n"


def fresh_keys(found: Sequence[Calibrated]) -> str:
    """False accusations by fresh admissible keys, against what chance allows of a correct rule."""
    rows = []
    for one in found:
        drawn = one.fresh_keys
        if drawn is None:
            rows.append([escape(one.scheme), "–", "–", *["–"] * (2 * len(ALPHAS)), "no fresh keys"])
            continue
        counts = [text for alpha in ALPHAS for text in (_rate(drawn.accused[alpha]), str(drawn.fired[alpha]))]
        right = f"{drawn.admissible}/{drawn.draws}"
        rows.append([escape(one.scheme), right, str(drawn.models), *counts, "yes" if drawn.passed else "**no**"])
    draws = max((one.fresh_keys.draws for one in found if one.fresh_keys), default=0)
    limits = ", ".join(f"{allowed(draws, alpha)} at {wording.probability(alpha)}" for alpha in ALPHAS)
    text = (
        "Keys drawn anew on models that never saw one, by p_key alone; gates, which could only lower the counts, are "
        f"left out. A rule of exactly the stated size stays within {limits} of {draws:,} draws in "
        f"{100 * CHANCE:g} % of such checks. Behind each count: the one-sided 95 % Clopper-Pearson bound, and how many "
        "of the models were ever accused."
    )
    header = ["scheme", "admissible", "models"]
    for alpha in ALPHAS:
        header += [f"p <= {wording.probability(alpha)}", "models"]
    return f"{text}\n\n" + table([*header, "within"], rows, "lrr" + "rr" * len(ALPHAS) + "l")


def pools(found: Sequence[Calibrated]) -> str:
    """Accusations by p_null alone and by p, model by model, in every pool."""
    rows = [
        [
            escape(one.scheme),
            pool.name,
            str(pool.null[ALPHAS[0]].n),
            *(_rate(pool.null[alpha]) for alpha in ALPHAS),
            *(_rate(pool.both[alpha]) for alpha in ALPHAS),
            "unreadable" if pool.least_log10_p is None else wording.p_value(pool.least_log10_p),
        ]
        for one in found
        for pool in one.pools
    ]
    text = (
        "Every model as the suspect, the clean nulls as the nulls, without the one it is or was made from. Clean: the "
        "owner's architecture and data. Near innocents: the owner's own unmarked model, and other people's "
        "fine-tunings of it; attacked: clean nulls after attacks. Models of one backbone, or of one thief's data, are "
        "not independent: their bounds read as if they were. p is the larger of p_null and p_key. Gates are left out."
    )
    named = [wording.probability(alpha) for alpha in ALPHAS]
    header = ["scheme", "pool", "models", *(f"p_null <= {a}" for a in named), *(f"p <= {a}" for a in named), "least p"]
    return f"{text}\n\n" + table(header, rows, "llr" + "r" * (2 * len(ALPHAS) + 1))


def power(found: Sequence[Calibrated]) -> str:
    """How often a half-erased mark would still be present."""
    rows = [
        [escape(one.scheme), *(wording.percent(one.power[a]) if a in one.power else "–" for a in ALPHAS)]
        for one in found
    ]
    text = "How often a mark is still present after a random half of its items was reset to chance, in closed form."
    return f"{text}\n\n" + table(["scheme", *_at(ALPHAS)], rows, "l" + "r" * len(ALPHAS))


def roc(found: Sequence[Calibrated]) -> list[str]:
    """Attacked marked against attacked unmarked models; nothing where there are fewer than 100 of those."""
    rows = [
        [escape(one.scheme), str(one.roc.marked), str(one.roc.nulls), f"{one.roc.auroc:.3f}",
         wording.percent(one.roc.tpr)]
        for one in found if one.roc is not None
    ]  # fmt: skip
    header = ["scheme", "attacked marked", "attacked nulls", "AUROC", "TPR at 1 % FPR"]
    return ["## Attacked marked against attacked nulls", table(header, rows, "lrrrr")] if rows else []


def faults(found: Sequence[Calibrated]) -> list[str]:
    """Why a part is missing."""
    rows = [[escape(one.scheme), escape(why)] for one in found for _, why in one.faults]
    return ["## Missing", table(["scheme", "why"], rows)] if rows else []


def as_json(found: Sequence[Calibrated]) -> list[dict[str, object]]:
    """The same figures for other programs; levels are keys."""
    return [
        {
            "scheme": one.scheme,
            "fresh_keys": one.fresh_keys and {
                "draws": one.fresh_keys.draws,
                "admissible": one.fresh_keys.admissible,
                "models": one.fresh_keys.models,
                "accused": _counts(one.fresh_keys.accused),
                "passed": one.fresh_keys.passed,
            },
            "pools": {pool.name: {"p_null": _counts(pool.null), "p": _counts(pool.both)} for pool in one.pools},
            "power": {wording.probability(alpha): value for alpha, value in one.power.items()},
            "roc": one.roc and {"auroc": one.roc.auroc, "tpr_at_1_percent_fpr": one.roc.tpr},
            "faults": [why for _, why in one.faults],
        }
        for one in found
    ]  # fmt: skip


def _counts(rates: Mapping[float, Rate]) -> dict[str, dict[str, float]]:
    return {wording.probability(a): {"count": r.count, "n": r.n, "bound": r.bound} for a, r in rates.items()}


def _rate(rate: Rate) -> str:
    """`3/60 <= 0.12`: the count, and the bound of the rate."""
    return f"{rate.count}/{rate.n} <= {rate.bound:.2g}" if rate.n else "–"


def _at(alphas: Sequence[float]) -> list[str]:
    return [f"alpha {wording.probability(alpha)}" for alpha in alphas]
