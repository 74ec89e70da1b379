"""Passport bits of rearranged nets: lost in the weights as they are, found after alignment to the delivered net."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy import stats

from attacks.finetune import Finetune
from attacks.prune import Prune, PruneStructured
from attacks.quantize import Quantize
from attacks.rewriting.rearrange import Rearrange
from benchmark.architectures.alignment import aligned
from benchmark.architectures.blocks import plain
from benchmark.contract import Net, Party, build
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import stream
from leaderboard.judge.evidence import weigh
from schemes.passport import Passport

V1, V2, V3 = Passport(), Passport(version="v2"), Passport(version="v3")
SCHEMES = pytest.mark.parametrize("scheme", [V1, V2, V3], ids=["v1", "v2", "v3"])


def hits(observation: dict[str, Any], channel: str = "bits") -> int:
    return int(observation["channels"][channel]["hits"].count("1"))


def lost(observation: dict[str, Any]) -> int:
    """Right answers that the installed passports cost."""
    gate = observation["gates"]["fidelity"]
    return int(gate["before"].count("1") - gate["after"].count("1"))


@SCHEMES
def test_a_rearranged_net_answers_alike_and_shows_its_bits_after_alignment_alone(lab: Any, scheme: Passport) -> None:
    marked = lab.embed(scheme)
    moved = lab.attack(Rearrange(), marked, scheme)
    assert torch.equal(moved.right, marked.right)
    seen = lab.observe(scheme, moved, marked.key, marked)
    assert seen["views"] == ["bits_aligned"]
    assert "law" not in seen["channels"]["bits_aligned"]  # the delivered weights hold the bits
    assert hits(seen) < 64  # P(Bin(96, 1/2) >= 64) = 7e-4
    assert hits(seen, "bits_aligned") == 96
    assert lost(seen) <= 1


@pytest.mark.parametrize("how", ["permute", "sign", "fold"])
def test_each_change_alone_hides_the_bits_of_v1(lab: Any, how: Any) -> None:
    marked = lab.embed(V1)
    seen = lab.observe(V1, lab.attack(Rearrange(how), marked, V1), marked.key, marked)
    assert hits(seen) < 72
    assert hits(seen, "bits_aligned") == 96
    assert lost(seen) <= 1  # none by the aligned net; by luck the passports in the other may get a few more right


@pytest.mark.parametrize(
    ("stages", "least"),
    [
        ((Rearrange("permute"), Finetune(mode="ftal")), 90),
        ((Finetune(mode="ftal"), Rearrange()), 90),
        ((Prune(0.5), Rearrange()), 90),
        ((Rearrange("permute"), Prune(0.5)), 90),
        ((Rearrange(), Quantize(activations=True)), 90),
    ],
    ids=["permute+finetune", "finetune+rearrange", "prune+rearrange", "permute+prune", "rearrange+integers"],
)
def test_chains_hide_the_bits_from_a_court_that_does_not_align(lab: Any, stages: Any, least: int) -> None:
    marked = lab.embed(V1)
    seen = lab.observe(V1, lab.attack(stages, marked, V1), marked.key, marked)
    assert hits(seen) < 64
    assert hits(seen, "bits_aligned") >= least


def test_what_was_not_rearranged_reads_the_same_twice(lab: Any) -> None:
    marked = lab.embed(V1)
    seen = lab.observe(V1, marked, marked.key, marked)
    assert seen["channels"]["bits"]["hits"] == seen["channels"]["bits_aligned"]["hits"]
    assert lost(seen) == 0
    assert "bits_aligned" not in lab.observe(V1, marked)["channels"]  # nobody says what was delivered


def test_a_net_of_other_widths_before_its_passports_is_read_as_it_is(lab: Any) -> None:
    marked = lab.embed(V1)
    grouped = build({**lab.context.spec(), "norm": "group"}).eval()
    seen = lab.observe(V1, replace(marked, service=Service(Net.of(grouped))), marked.key, marked)
    assert seen["channels"]["bits"]["hits"] == seen["channels"]["bits_aligned"]["hits"]
    cut = lab.attack(PruneStructured(0.1), marked, V1)
    assert "channels" in lab.observe(V1, cut, marked.key, marked)["unreadable"]


def totals(lab: Any, count: int, blind: bool) -> torch.Tensor:
    """The owner's bits that `count` random nets show after alignment to his, float64."""
    marked = lab.embed(V1)
    delivered = plain(marked.service.net.module())
    unseen = {f"{name}.conv": block.direction() for name, block in V1.install(delivered, marked.key).blocks()}
    found = []
    for number in range(count):
        fresh = Party(lab.context, lab.splits.owner, stream(number, "random net")).build().eval()
        turned = aligned(fresh, delivered, lab.context.task.shape, unseen if blind else None)
        pairs = zip(V1.install(turned, marked.key).blocks(), V1.signs(marked.key), strict=True)
        found.append(sum(int((block.derived()[0] * sign > 0).sum()) for (_, block), sign in pairs))
    return torch.tensor(found, dtype=torch.float64)


def accused(total: float, others: torch.Tensor) -> bool:
    """Whether a total of 96 stands out among those of equally aligned nulls, at 1e-3."""
    seen, *nulls = (
        {
            "evidence": "aligned",
            "unreadable": None,
            "gates": {},
            "channels": {"aligned": {"hits": "1" * n + "0" * (96 - n)}},
        }
        for n in (int(total), *map(int, others))
    )
    return weigh(seen, {"clean": nulls}, 1e-3).log10_p <= -3


def test_equally_aligned_nulls_accuse_no_random_net(lab: Any) -> None:
    """200 of them, each against 60 others: what the delivered weights hold of the bits draws all alike."""
    found, drawn = totals(lab, 200, blind=True), totals(lab, 50, blind=False)
    alarms = sum(accused(total, torch.cat([found[k + 1 :], found[:k]])[:60]) for k, total in enumerate(found.tolist()))
    print(f"200 random nets, aligned: {found.mean():.1f} of 96 bits, sd {found.std():.1f}, {alarms} false alarms")
    print(f"50 of them, aligned by all that their weights show: {drawn.mean():.1f} bits, at most {int(drawn.max())}")
    assert alarms <= stats.binom.ppf(0.999, 200, 1e-3)
    assert drawn.mean() - found.mean() > 2 * (96 / 4) ** 0.5  # two standard deviations of a single net's bits


def test_the_direction_of_a_passport_gives_its_scales(lab: Any) -> None:
    marked = lab.embed(V1)
    for _, block in V1.install(marked.service.net.module(), marked.key).blocks():
        scales = (block.conv.weight * block.direction()).sum((1, 2, 3))
        torch.testing.assert_close(scales, block.derived()[0], rtol=1e-4, atol=1e-5)
