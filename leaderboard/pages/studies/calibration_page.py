"""`calibration.md`: the realised error rates of every scheme. Labels and reasons are untrusted text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.vocabulary import SCRATCH_POOL
from leaderboard.analysis.error_rates import ALPHAS, CHANCE, Calibrated, Rate, allowed, failures
from leaderboard.judge.run import Run
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, strong
from leaderboard.pages.sections.innocents import none_bounds
from leaderboard.pages.writers import markdown

_LEVELS = [wording.probability(alpha) for alpha in ALPHAS]


def calibration_page(run: Run, found: Sequence[Calibrated]) -> str:
    """The whole page as markdown."""
    return markdown.page(f"Realised error rates: {run.described['run']}", sections(run, found))


def sections(run: Run, found: Sequence[Calibrated]) -> list[Section]:
    """What the page consists of: headline, fresh keys, innocent models, power, and why a part is missing."""
    nulls = ", ".join(
        f"{wording.nulls(track['nulls'], track.get('surrogates', 0))} on {track['task']}"
        for track in run.described["data"]
    )
    made = f"Unmarked models of the owner's architecture and data: {nulls}; command: {run.described['command']}"
    parts = [Section(text=made), Section(text=headline(found)), fresh_keys(found), pools(found), power(found)]
    if faults := [[one.scheme, why] for one in found for _, why in one.faults]:
        parts.append(Section("Missing", header=["scheme", "why"], rows=faults))
    return parts


def headline(found: Sequence[Calibrated]) -> Inline:
    """Whether the criterion holds."""
    if said := failures(found):
        return strong("The limits do not hold."), f" {'; '.join(said)}."
    tested = [one for one in found if one.fresh_keys]
    return f"Fresh keys stay within what chance allows for all of {len(tested)} schemes that have such a test."


def fresh_keys(found: Sequence[Calibrated]) -> Section:
    """False accusations by fresh admissible keys, against what chance allows of a correct rule."""
    rows: list[list[Inline]] = []
    for one in found:
        drawn = one.fresh_keys
        if drawn is None:
            why = "the job failed" if one.no_fresh_keys is None else f"no such test: {one.no_fresh_keys}"
            rows.append([one.scheme, *["–"] * (2 + 2 * len(ALPHAS)), why])
            continue
        counts = [text for alpha in ALPHAS for text in (_rate(drawn.accused[alpha]), str(drawn.fired[alpha]))]
        within = ("by p: " if drawn.crossed else "", "yes" if drawn.passed else strong("no"))
        rows.append([one.scheme, f"{drawn.admissible}/{drawn.draws}", str(drawn.models), *counts, within])
    draws = max((one.fresh_keys.draws for one in found if one.fresh_keys), default=0)
    limits = ", ".join(f"{allowed(draws, alpha)} at {wording.probability(alpha)}" for alpha in ALPHAS)
    text = (
        "Keys drawn anew on models that never saw one, by p_key alone; gates, which could only lower the counts, are "
        f"left out. A rule of exactly the stated size stays within {limits} of {draws:,} draws in "
        f"{100 * CHANCE:g} % of such checks. Behind each count: the one-sided 95 % Clopper-Pearson bound, and how many "
        "of the models were ever accused. Where a part of the key was trained for its secret, or no law says what a "
        "fresh key would score, there is no such test: there p_null alone accuses, and the pools below are what holds."
    )
    header = ["scheme", "admissible", "models", *(name for a in _LEVELS for name in (f"p <= {a}", "models")), "within"]
    return Section("Fresh keys", text, header, rows, "lrr" + "rr" * len(ALPHAS) + "l", parts=_crossed(found))


def _crossed(found: Sequence[Calibrated]) -> list[Section]:
    """Fresh keys by the p that accuses, of schemes whose p_key is that of redrawn keys."""
    rows = [
        [one.scheme, str(some.models), *_rates(some.key), *_rates(some.both)]
        for one in found
        if one.fresh_keys and (some := one.fresh_keys.crossed)
    ]
    text = (
        "Where the law of a fresh key is that of redrawn keys, p_key accuses nobody by itself: from a handful of keys "
        "it is a prediction, too small in its far tail. The larger of p_key and p_null accuses, and the limits are "
        "for it. Each of these fresh keys was read on all of the models: it accuses each of them in turn, with the "
        "others under the same key as the nulls. Pairs that share a key are not independent."
    )
    header = ["scheme", "models", *(f"p_key <= {a}" for a in _LEVELS), *(f"p <= {a}" for a in _LEVELS)]
    return [Section("", text, header, rows, "lr" + "r" * (2 * len(ALPHAS)))] if rows else []


def pools(found: Sequence[Calibrated]) -> Section:
    """Accusations by p_null alone and by p, model by model, in every pool."""
    rows = [
        [
            one.scheme,
            pool.name,
            str(pool.null[ALPHAS[0]].n) + (f" ({pool.useless} left out)" if pool.useless else ""),
            *_rates(pool.null),
            *_rates(pool.strict),
            *_rates(pool.both),
            "–" if pool.least_log10_p is None else wording.graded(pool.least_log10_p, pool.least_grade),
        ]
        for one in found
        for pool in one.pools
    ]
    text = (
        "Every model as the suspect, the clean nulls and any surrogates of them as the nulls, without those that it is "
        "or that share what it was made from. Clean: the owner's architecture and data. Near innocents: the owner's "
        "own unmarked model, and other people's fine-tunings of it; attacked: clean nulls after attacks. Models of one "
        "backbone, or of one thief's data, are not independent: their bounds read as if they were. p is that "
        "of the verdicts: p_key alone where its law is exact, else the larger of p_key and p_null; strict p is the "
        f"larger of the two everywhere, as before version 0.5. {none_bounds(_most_nulls(found))} Gates are left out, "
        "and so are models that don't do their task: restored images less than 3 dB better than the degraded ones."
    )
    if any(pool.name == SCRATCH_POOL for one in found for pool in one.pools):
        text += (
            " Here the clean nulls are independent fine-tunes of the weights that the host begins with: they share an "
            "ancestor with the marked model. From scratch: the same architecture, trained without these weights; they "
            "are a pool of nulls as well, and the larger p counts."
        )
    kinds = (f"{p} <= {a}" for p in ("p_null", "strict p", "p") for a in _LEVELS)
    header = ["scheme", "pool", "models", *kinds, "least p"]
    title = "Innocent models under the owner's key"
    return Section(title, text, header, rows, "llr" + "r" * (3 * len(ALPHAS) + 1))


def _most_nulls(found: Sequence[Calibrated]) -> int:
    """How many models the largest pool has."""
    return max((pool.both[ALPHAS[0]].n for one in found for pool in one.pools), default=1)


def power(found: Sequence[Calibrated]) -> Section:
    """How often a half-erased mark would still be present."""
    rows = [
        [
            one.scheme,
            *(wording.percent(power.get(alpha)) for alpha in ALPHAS for power in (one.strict_power, one.power)),
        ]
        for one in found
    ]
    text = (
        "How often a mark is still present after a random half of its items was reset to chance, in closed form. "
        "Hits are reset to the rate of a fresh key, or of the nulls where there is none; real scores to those of "
        "a null on the same items, each null in turn and left out of the test, by the normal approximation. Strict: "
        "by the larger of p_key and p_null everywhere, as before version 0.5."
    )
    header = ["scheme", *(f"{how}alpha {a}" for a in _LEVELS for how in ("strict, ", ""))]
    return Section("Power", text, header, rows, "l" + "r" * (2 * len(ALPHAS)))


def as_json(found: Sequence[Calibrated]) -> list[dict[str, object]]:
    """The same figures for other programs; levels are keys."""
    return [
        {
            "scheme": one.scheme,
            "fresh_keys": (drawn := one.fresh_keys) and {
                "draws": drawn.draws,
                "admissible": drawn.admissible,
                "models": drawn.models,
                "accused": _counts(drawn.accused),
                "crossed": drawn.crossed and {
                    "models": drawn.crossed.models,
                    "p_key": _counts(drawn.crossed.key),
                    "p": _counts(drawn.crossed.both),
                },
                "passed": drawn.passed,
            },
            "no_fresh_keys": one.no_fresh_keys,
            "pools": {
                pool.name: {"p_null": _counts(pool.null), "strict_p": _counts(pool.strict), "p": _counts(pool.both)}
                for pool in one.pools
            },
            "power": {wording.probability(alpha): value for alpha, value in one.power.items()},
            "strict_power": {wording.probability(alpha): value for alpha, value in one.strict_power.items()},
            "faults": [why for _, why in one.faults],
        }
        for one in found
    ]  # fmt: skip


def _counts(rates: Mapping[float, Rate]) -> dict[str, dict[str, float]]:
    return {wording.probability(a): {"count": r.count, "n": r.n, "bound": r.bound} for a, r in rates.items()}


def _rate(rate: Rate) -> str:
    """`3/60 <= 0.12`: the count, and the bound of the rate."""
    return f"{rate.count}/{rate.n} <= {rate.bound:.2g}" if rate.n else "–"


def _rates(rates: Mapping[float, Rate]) -> list[str]:
    return [_rate(rates[alpha]) for alpha in ALPHAS]
