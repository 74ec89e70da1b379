"""No mark: how alike filters are, ranked among orders of channels that are as likely; alone, and after alignment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from attacks.finetune import Finetune
from attacks.prune import Prune, PruneStructured
from attacks.rewriting.rearrange import Rearrange
from benchmark.contract import ChannelGroup, Net, build, channel_groups
from benchmark.protocol.parties import stream
from leaderboard.judge.evidence import weigh
from schemes.provenance import ENOUGH, FIRST, MOST, Filters, Provenance, alike, filters, orders, ranked

SCHEME = Provenance()


def mean(seen: dict[str, Any], channel: str = "filters") -> float:
    return float(np.mean(seen["channels"][channel]["values"]))


def rank(seen: dict[str, Any]) -> tuple[int, int]:
    """How many copies are as alike as the suspect, and how many were drawn."""
    law, own = seen["channels"]["filters"]["law"], mean(seen)
    return sum(one >= own for one in law["totals"]) + law.get("reached", 0), FIRST + law.get("more", 0)


def test_the_owner_hands_out_his_plain_net(lab: Any) -> None:
    marked, host = lab.embed(SCHEME), lab.owner(SCHEME).host.state_dict()
    assert all(torch.equal(one, host[name]) for name, one in marked.service.net.state.items())
    seen = lab.observe(SCHEME, marked)
    assert mean(seen) == pytest.approx(1, abs=1e-5)
    assert rank(seen) == (0, MOST)


def test_no_other_net_of_the_same_owner_and_data_is_accused(lab: Any) -> None:
    key = lab.embed(SCHEME).key
    for index in range(4):
        as_alike, drawn = rank(lab.observe(SCHEME, lab.null(index), key))
        assert as_alike >= ENOUGH or drawn == MOST
        assert (1 + as_alike) / (1 + drawn) > 1e-2


@pytest.mark.parametrize(
    "attack", [Finetune(), Finetune(lr=0.05, epochs=20), Prune(0.9)], ids=lambda one: str(one)[:40]
)
def test_fine_tuning_and_pruning_leave_the_channels_where_they_were(lab: Any, attack: Any) -> None:
    marked = lab.embed(SCHEME)
    assert rank(lab.observe(SCHEME, lab.attack(attack, marked, SCHEME), marked.key)) == (0, MOST)


def test_moved_channels_hide_the_origin_until_they_are_matched(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    chain = (Finetune(lr=0.05, epochs=20), Rearrange())
    pools = {"clean": [lab.observe(SCHEME, lab.null(index), marked.key, marked) for index in range(16)]}
    for attack in (Rearrange(), chain):
        seen = lab.observe(SCHEME, lab.attack(attack, marked, SCHEME), marked.key, marked)
        assert rank(seen)[0] >= 1
        assert "law" not in seen["channels"]["filters_aligned"]  # it was matched by what is compared
        found = weigh(seen, pools, 1e-3)
        assert (found.state, found.view) == ("present", "filters_aligned")
    innocent = lab.observe(SCHEME, lab.null(16), marked.key, marked)
    assert weigh(innocent, pools, 1e-3).state == "absent"


def test_nets_of_other_shapes_and_keys_that_hold_no_net_cannot_be_read(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    cut = lab.attack(PruneStructured(0.25), marked, SCHEME)
    assert "blocks.0.conv is missing or has another shape" in lab.observe(SCHEME, cut, marked.key)["unreadable"]
    state = {name: one * float("nan") for name, one in marked.key.net.state.items()}
    for net, why in ((Net(marked.key.net.spec, state), "NaN"), (Net({"builder": "none"}, {}), "can't be read")):
        key = replace(marked.key, net=net, secret=why.encode().ljust(32))  # keys of one secret count as one
        assert why in str(SCHEME.admissible(key).reason)
        assert why in lab.observe(SCHEME, marked, key)["unreadable"]


def test_a_fresh_key_is_the_same_net_in_another_order(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    fresh = SCHEME.redraw(marked.key, stream("fresh"))
    x = lab.splits.test.images()[:50]
    torch.testing.assert_close(fresh.net.module()(x), marked.key.net.module()(x), rtol=1e-3, atol=1e-4)
    assert rank(lab.observe(SCHEME, marked, fresh))[0] >= 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("resnet8", {}),
        ("convnet", {"norm": "group", "widths": [32, 32, 64]}),
        ("keynet-cnn", {"width": 4, "hidden": 32}),
    ],
)
def test_copies_are_those_that_reordering_makes(lab: Any, name: str, arguments: dict[str, Any]) -> None:
    """Tied channels, groups of a normalisation and flattened maps: each as `ChannelGroup.reorder` moves it."""
    torch.manual_seed(0)
    one, other = (build({**lab.context.spec(name), **arguments}).eval() for _ in range(2))
    groups = channel_groups(one, lab.context.task.shape)
    places = orders(groups, 3, stream("orders"))
    together = alike(filters(one, other, groups), places)
    for copy in range(3):
        state = dict(one.state_dict())
        for group, order in zip(groups, places, strict=True):
            assert sorted(order[copy].tolist()) == list(range(group.size))
            group.reorder(state, order[copy])
        moved = build(one.spec()).eval()
        moved.load_state_dict(state)
        x = torch.rand(2, *lab.context.task.shape)
        torch.testing.assert_close(moved(x), one(x), rtol=1e-3, atol=1e-4)
        still = [torch.arange(group.size)[None] for group in groups]
        torch.testing.assert_close(alike(filters(moved, other, groups), still)[0], together[copy])


def test_the_rank_of_unrelated_filters_is_uniform() -> None:
    """400 pairs of random layers: the p-values pass Kolmogorov and Smirnov's test."""
    rng, found = stream("ranks"), []
    groups = [ChannelGroup(12, 1, (("layer", ""),), ())]
    for _ in range(400):
        mine, theirs = (torch.nn.functional.normalize(torch.randn(12, 5, generator=rng), dim=1) for _ in range(2))
        layers = [Filters(mine[:, :, None], theirs[:, :, None], 0, None)]
        own = float(alike(layers, [torch.arange(12)[None]]).mean())
        law = ranked(layers, groups, own, rng).record()
        as_alike = sum(one >= own for one in law["totals"]) + law.get("reached", 0)
        found.append((1 + as_alike) / (1 + FIRST + law.get("more", 0)))
    assert stats.kstest(found, "uniform", alternative="greater").pvalue > 1e-3  # never smaller than uniform
    assert 0.45 < np.mean(found) < 0.65
