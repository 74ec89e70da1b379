"""Three scores of strangeness: each rejects what it should, and as few ordinary queries as it says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from attacks.serving.reject import Reject, Rejecter, median
from benchmark.contract import Draws, NotApplicable, Thief
from benchmark.protocol.draws import seeds_of
from benchmark.protocol.parties import stream
from schemes.adi import Adi

ADI = Adi()
SCORES = ("mahalanobis", "energy", "squeeze")


def test_a_median_takes_out_a_spot_and_keeps_an_edge() -> None:
    x = torch.zeros(1, 1, 8, 8)
    x[..., 4:] = 1
    spotted = x.clone()
    spotted[0, 0, 2, 2] = 1
    assert torch.equal(median(spotted), x)


@pytest.mark.parametrize("score", SCORES)
def test_so_many_ordinary_queries_are_rejected_and_no_more(lab: Any, score: Any) -> None:
    stage = lab.attack(Reject(score, false_rejects=0.05), lab.embed(ADI), ADI).service.filters[0].module()
    fresh = lab.splits.test.images()
    kept = stage.strangeness(fresh) <= stage.threshold
    assert 0.86 < kept.float().mean() < 0.995  # 100 images set the threshold: .95 is expected, .03 its deviation
    assert torch.equal(stage(fresh, Draws(seeds_of(fresh)))[kept], fresh[kept])
    nothing = lab.attack(Reject(score, false_rejects=0.0), lab.embed(ADI), ADI).service.filters[0].module()
    assert (nothing.strangeness(fresh) <= nothing.threshold).float().mean() > 0.96


def test_the_distance_is_that_of_the_nearest_class(lab: Any) -> None:
    net, x = lab.null(0).service.net, lab.splits.thief.images()
    stage = Rejecter(net.spec, "mahalanobis", 1, (1, 16, 16)).eval()
    stage.net.load_state_dict(net.state)
    stage.learn(x)
    features, named = stage.features(x), lab.null(0).service.running().ask(x, "labels")
    for label in range(10):
        torch.testing.assert_close(stage.middles[label], features[named == label].mean(0), atol=1e-4, rtol=1e-4)
    gap = features[0] - stage.middles
    wanted = torch.stack([one @ stage.precision @ one for one in gap]).min()
    torch.testing.assert_close(stage.strangeness(x)[0], wanted, rtol=1e-3, atol=1e-3)


def test_a_rejecter_needs_the_stolen_net(lab: Any) -> None:
    service = lab.null(0).service.running()
    with pytest.raises(NotApplicable, match="grants labels, this attack needs weights"):
        Reject().run(Thief(lab.context, lab.splits.thief, stream("reject"), service, "labels"))
