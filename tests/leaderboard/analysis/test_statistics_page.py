"""docs/statistics.md: its worked numbers come out of the code, its tables out of the published calibration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from benchmark.vocabulary import SCRATCH_POOL
from leaderboard.analysis.error_rates import ALPHAS, calibrate
from leaderboard.judge.evidence import weigh
from leaderboard.judge.results import null_observations, useless_nulls
from leaderboard.judge.run import read_run
from leaderboard.pages.publish import PUBLISHED
from leaderboard.pages.sections.innocents import none_bounds
from leaderboard.stats.fresh_keys import Closed
from leaderboard.stats.tails import LEAST_FOR_PREDICTION

from ..conftest import NULL_HITS

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"
TEXT = " ".join(PAGE.read_text().split())


def seen(total: int, n: int, p: float) -> dict[str, Any]:
    channel = {"hits": "1" * total + "0" * (n - total), "law": {"kind": "binomial", "p": p}}
    return {"evidence": "c", "channels": {"c": channel}, "gates": {}, "unreadable": None}


def states(n: int, p: float, **reading: Any) -> dict[str, list[int]]:
    nulls = [seen(hits, n, p) for hits in NULL_HITS]
    found: dict[str, list[int]] = {}
    for total in range(n + 1):
        found.setdefault(weigh(seen(total, n, p), {"clean": nulls}, 1e-3, **reading).state, []).append(total)
    return found


def test_the_worked_example_of_labels() -> None:
    found = states(100, 0.1)
    assert (found["absent"], found["unclear"]) == ([*range(14)], [*range(14, 21)])
    assert "theta = theta0 = 21; absent up to 13, unclear from 14 to 20, present from 21." in TEXT
    strict = states(100, 0.1, strict=True)
    assert strict["present"][0] == 23
    assert "theta = 23, and 21 and 22 lack nulls" in TEXT


def test_the_worked_example_of_bits() -> None:
    found = states(96, 0.5)
    assert found["present"] == [*range(32), *range(65, 97)]
    assert found["absent"] == [*range(40, 57)]
    ps = [f"{10 ** Closed(96, 0.5).log10_p(total, 1e-3):.1e}".replace("e-0", "e-") for total in (64, 65)]
    assert f"(p of 64 is {ps[0]}, of 65 {ps[1]}), absent from 40 to 56" in TEXT


def test_what_none_of_so_many_bounds() -> None:
    said = none_bounds(16)
    assert said == (
        "Where none of 16 unmarked models scores as high as a suspect, up to 17 % of all such models still may "
        "(one-sided 95 %; of 60 4.9 %, of 299 1 %, of 2,995 0.1 %)."
    )
    assert "16: 17 %, 60: 4.9 %, 299: 1 %, 2,995: 0.1 %" in TEXT


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    found = calibrate(read_run(PUBLISHED / "calibrate"))
    return {one.scheme.replace("version=v1,", ""): one for one in found}


def row(name: str, table: str) -> list[str]:
    """The cells of a row of the table behind these words."""
    (line,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE.read_text().partition(table)[2].partition("\n\n|")[2]
                         .partition("\n\n")[0], re.MULTILINE)  # fmt: skip
    return [cell.strip() for cell in line.split("|")]


def one_of(published: dict[str, Any], name: str) -> Any:
    parts = [part.strip() for part in name.split(",")][:2]
    return next(one for label, one in published.items() if all(part in label for part in parts if "of " not in part))


@pytest.mark.parametrize(
    "name",
    [
        "adi", "rose", "passport, recipe=shuffle", "passport, recipe=signed", "uchida", "deepmodel-bits",
        *(f"{name}, of 2,007, by the larger p" for name in ("keynet", "content", "provenance")),
    ],
)  # fmt: skip
def test_accusations_by_fresh_keys(published: dict[str, Any], name: str) -> None:
    rates = one_of(published, name).fresh_keys.accusing
    assert row(name, "in 999 of 1,000 such checks:") == [str(rates[alpha].count) for alpha in ALPHAS]


def test_accusations_of_innocents(published: dict[str, Any]) -> None:
    fired = {label: sum(pool.both[1e-3].count for pool in one.pools) for label, one in published.items()}
    models = {label: sum(pool.both[1e-3].n for pool in one.pools) for label, one in published.items()}
    assert {label: count for label, count in fired.items() if count} == {"provenance": 16}
    (near,) = (pool.both[1e-3] for pool in published["provenance"].pools if pool.name == "near innocents")
    assert f"it accuses {near.count} of {near.n} near innocents" in TEXT
    assert {models[label] for label in models if "deepmodel" not in label} == {168}
    assert {models[label] for label in models if "deepmodel" in label} == {48}
    assert "none of the 168 innocent models of a digit scheme" in TEXT
    assert "nor any of the 48 of deepmodel and deepmodel-bits" in TEXT


def test_what_nets_of_another_origin_show_on_a_host_with_weights() -> None:
    """Read after alignment, against fine-tunes alone: too few nets of the second pool had learnt their task."""
    run = read_run(PUBLISHED / "calibrate-ancestors")
    pools = {one.scheme.partition("(")[0]: {pool.name: pool for pool in one.pools} for one in calibrate(run)}
    for scheme in ("adi", "provenance"):
        assert [pools[scheme][name].both[1e-3].count for name in ("clean", SCRATCH_POOL)] == [0, 0]
    others = pools["uchida"][SCRATCH_POOL]
    low, strict = others.both[0.05], others.both[1e-3]
    assert (low.n, pools["uchida"]["clean"].both[0.05].count) == (13, 0)
    said = f"{strict.count} of {strict.n} nets from scratch at 0.001 (10^{others.least_log10_p:.1f} `extrapolated`)"
    assert said in TEXT
    assert others.least_grade == "extrapolated"
    by_chance = stats.binom.sf(low.count - 1, low.n, 0.05)
    assert f"{low.count} of {low.n} at 0.05, where chance gives as many with probability {by_chance:.3f}" in TEXT
    (entry,) = [one for one in run.described["calibration"] if one["scheme"].startswith("uchida")]
    hits = {
        pool: sorted(one["channels"]["bits_aligned"]["hits"].count("1") for one in null_observations(run, job))
        for pool, job in (("clean", entry["pools"]["clean"]), (SCRATCH_POOL, entry["scratch_nulls"]))
    }
    kept, useless = hits[SCRATCH_POOL], useless_nulls(run, entry["scratch_nulls"])
    assert (len(kept), useless, len(kept) < LEAST_FOR_PREDICTION) == (7, 2, True)
    assert f"the seven that were left score {kept[0]} to {kept[-1]} of 32 bits" in TEXT
    assert f"the fine-tunes {hits['clean'][0]} or {hits['clean'][-1]}" in TEXT


@pytest.mark.parametrize(
    "name",
    [
        "adi", "rose", "passport, recipe=shuffle", "passport, recipe=signed", "uchida", "keynet", "content",
        "provenance", "deepmodel", "deepmodel-bits",
    ],
)  # fmt: skip
def test_power_before_and_now(published: dict[str, Any], name: str) -> None:
    one = one_of(published, name)
    both = [power[alpha] for alpha in ALPHAS[1:] for power in (one.strict_power, one.power)]
    assert row(name, "was reset to chance. Before") == [f"{100 * share:.1f} %" for share in both]


def test_what_the_second_side_costs() -> None:
    """Half of 96 bits stay, the other half hits by chance: the least total of one side is 64, of two it is 65, and 66
    where each of two views is a try.
    """
    one, two, viewed = (stats.binom.sf(least - 48 - 1, 48, 0.5) for least in (64, 65, 66))
    assert f"The second view costs another {100 * (two - viewed):.1f}." in TEXT
    assert f"costs passports {100 * (one - two):.1f} points at 0.001: on one side it would be {100 * one:.1f} %" in TEXT
