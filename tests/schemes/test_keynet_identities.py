"""How KeyNet ranks a signature among other identities."""

from functools import partial
from math import log10

import pytest
import torch
from scipy import stats

from benchmark.contract import Data, as_float, secret
from benchmark.protocol.parties import stream
from benchmark.protocol.redrawing import which_reach
from leaderboard.judge.evidence import weigh
from schemes.keynet import judge_patches, pasted, signature

from .keynet_court import LABELS, SCHEME, OnlyLabels, court, hits, only_one_question, others


def test_fresh_keys_on_unmarked_nets_are_accused_as_often_as_claimed(lab):
    """Each of 20 signatures in turn against the other 19, by one head on 16 nets."""
    key, small, tried = lab.embed(SCHEME).key, 0, 0
    for index in range(16):
        seen = lab.observe(SCHEME, lab.null(index), key)
        totals = [hits(seen), *others(seen)]
        for number, total in enumerate(totals):
            law = {"kind": "redrawn", "totals": totals[:number] + totals[number + 1 :]}
            channel = {"hits": "1" * total + "0" * (300 - total), "law": law}
            fresh = {"evidence": "c", "channels": {"c": channel}, "unreadable": None}
            small, tried = small + (weigh(fresh, {}, 1e-3).log10_p_key <= log10(0.05)), tried + 1
    assert tried == 320
    assert 0 < small <= stats.binom.ppf(0.999, tried, 0.05)


def test_no_unmarked_net_is_accused_by_the_larger_p(lab):
    """Now and then one p falls below 1e-3 without a mark; the two do not fall together."""
    key = lab.embed(SCHEME).key
    seen = [lab.observe(SCHEME, lab.null(index), key) for index in range(17)]
    for index, one in enumerate(seen):
        found = weigh(one, {"clean": seen[:index] + seen[index + 1 :]}, 1e-3)
        assert found.state != "present"
        assert found.log10_p_key is not None


def test_the_law_is_that_of_other_signatures_in_the_same_places(lab, monkeypatch):
    """All by hand, on the same stream: what the judge asks, and what the head reads of it."""
    only_one_question(monkeypatch)
    marked = lab.embed(SCHEME)
    key, rng = marked.key, stream("court")
    model = marked.service.net.module()
    carriers = judge_patches(300, (1, 16, 16), rng)
    places = torch.arange(300) % 5 + 1
    signs = [key.signature, *(signature("owner", secret(rng)) for _ in range(19))]

    def total(sign):
        with torch.no_grad():
            answers = model(as_float(pasted(carriers, places, sign))).log_softmax(1)
        return int(((answers @ key.weight.T + key.bias).argmax(1) == places).sum())

    judge = court(lab)
    suspect = lab.suspect(marked.service, "probabilities", court(lab))
    seen = SCHEME.observe(suspect, key, judge).record()
    assert [hits(seen), *others(seen)] == [total(sign) for sign in signs]


def test_a_fresh_mark_is_ranked_among_999_identities(lab):
    seen = lab.observe(SCHEME, lab.embed(SCHEME))
    law = seen["channels"]["challenges"]["law"]
    assert (len(law["totals"]), law["more"], law["reached"]) == (19, 980, 0)
    nulls = [lab.observe(SCHEME, lab.null(index), lab.embed(SCHEME).key) for index in range(8)]
    found = weigh(seen, {"clean": nulls}, 1e-3)
    assert (found.log10_p_key, found.log10_p, found.grade, found.state) == (-3, -3, "ranked", "present")


class Counted:
    """A service that counts what it is asked."""

    def __init__(self, service):
        self.running, self.images = service.running(), 0

    def ask(self, x, access):
        self.images += len(x)
        return self.running.ask(x, access)


@pytest.mark.parametrize(("marked", "most"), [(True, 40_000), (False, 20_000)])
def test_identities_are_read_no_further_than_it_takes(lab, marked, most):
    """999 of them in 300 challenges would be 300,000 images."""
    exhibit = lab.embed(SCHEME)
    counted = Counted(exhibit.service if marked else lab.null(0).service)
    suspect = lab.suspect(exhibit.service, "probabilities", court(lab), counted)
    counted.images = 0
    SCHEME.observe(suspect, exhibit.key, court(lab))
    assert 6_000 < counted.images < most


def test_further_identities_travel_among_as_many_of_the_judges_images_as_the_first(lab):
    """One of 21 images in the first question is the judge's own."""
    suspect, judge = OnlyLabels(), court(lab)
    challenges = Data(judge_patches(300, (1, 16, 16), judge.rng), torch.arange(300) % 5 + 1)
    signs = [signature("owner", secret(judge.rng)) for _ in range(500)]
    LABELS.right(suspect, lab.embed(SCHEME).key, judge, challenges, signs, slice(0, 11))
    assert max(images for images, _ in suspect.asked) >= 5000
    for images, keyed in suspect.asked:
        assert keyed == images // 20
        assert len(judge.beside(images, keyed)) >= keyed


@pytest.mark.parametrize("own", [1, 8, 30, 300])
def test_an_identity_read_in_part_reaches_what_it_would_in_full(lab, own):
    """All by hand, in the marked net: whose total over the 300 challenges is `own` or more."""
    marked, rng = lab.embed(SCHEME), stream("partly")
    challenges = Data(judge_patches(300, (1, 16, 16), rng), torch.arange(300) % 5 + 1)
    signs = [marked.key.signature, *(signature("owner", secret(rng)) for _ in range(30))]
    model, key = marked.service.net.module(), marked.key

    def total(sign):
        with torch.no_grad():
            answers = model(as_float(pasted(challenges.x, challenges.y, sign))).log_softmax(1)
        return int(((answers @ key.weight.T + key.bias).argmax(1) == challenges.y).sum())

    suspect = lab.suspect(marked.service, "probabilities", court(lab))
    found = which_reach(300, own, signs, partial(SCHEME.right, suspect, key, court(lab), challenges))
    assert found == [total(sign) >= own for sign in signs]


def test_drawing_stops_at_the_fifth_that_reaches_the_total_or_after_99(lab):
    """A net that reads every signature: none beyond the first 19. One that reads few: the last that was drawn does."""
    law = LABELS.observe(OnlyLabels(), lab.embed(SCHEME).key, court(lab)).record()["channels"]["challenges"]
    assert law["law"].get("more", 0) == 0
    marked, judge = lab.embed(SCHEME), court(lab)
    challenges = Data(judge_patches(300, (1, 16, 16), judge.rng), torch.arange(300) % 5 + 1)
    suspect = lab.suspect(marked.service, "probabilities", court(lab))

    def further(own, reached):
        law = SCHEME.ranked(
            suspect, marked.key, judge, challenges, [300] * reached + [0] * (19 - reached), own
        ).record()
        return law["more"], law["reached"]

    more, reached = further(own=10, reached=0)
    assert reached == 5
    assert 5 <= more < 80
    assert further(own=300, reached=1) == (80, 0)  # rank 2 of 100 at the least
    assert further(own=300, reached=0) == (980, 0)
