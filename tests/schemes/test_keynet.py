from dataclasses import replace
from functools import partial
from math import log10

import pytest
import torch
from scipy import stats

from benchmark.contract import CarrierScheme, Data, OverwriteScheme, Unreadable, as_float, photographs, secret
from benchmark.protocol.court import Court
from benchmark.protocol.parties import stream
from benchmark.protocol.redrawing import which_reach
from leaderboard.judge.evidence import weigh
from schemes.keynet import KeyNet, judge_patches, owner_patches, pasted, signature

SCHEME = KeyNet()
FINETUNED = KeyNet(mode="finetune")
LABELS = KeyNet(answers="labels")
SECRET = bytes(range(32))


def hits(observation, channel="challenges"):
    return observation["channels"][channel]["hits"].count("1")


def others(observation):
    return observation["channels"]["challenges"]["law"]["totals"]


@pytest.fixture
def key(lab):
    return SCHEME.keygen(lab.owner(SCHEME), stream("test-keynet"))


@pytest.mark.parametrize("scheme", [SCHEME, FINETUNED], ids=lambda scheme: scheme.mode)
def test_the_owner_is_read_where_he_signed_and_nobody_else_is(lab, scheme):
    marked = lab.embed(scheme)
    seen = lab.observe(scheme, marked)
    assert hits(seen) >= 0.95 * 300
    assert hits(seen, "unsigned") > 0.95 * 300
    assert hits(seen, "wrongly_signed") > 0.95 * 300
    assert sum(others(seen)) < 0.05 * 19 * 300
    assert marked.accuracy >= lab.null(100).accuracy - 0.03


@pytest.mark.parametrize("scheme", [SCHEME, FINETUNED], ids=lambda scheme: scheme.mode)
def test_unmarked_nets_answer_unsigned(lab, scheme, record_property):
    key = lab.embed(scheme).key
    rates = [hits(lab.observe(scheme, lab.null(index), key)) / 300 for index in range(8)]
    record_property("signed challenges read in unmarked nets", rates)
    assert max(rates) < 0.45  # ten heads on 80 such nets: .41 at most


@pytest.fixture
def first_question_alone(monkeypatch):
    """No identities beyond the 19 of the first question."""
    for limit in ("_SOME_IDENTITIES", "MOST_IDENTITIES"):
        monkeypatch.setattr(f"schemes.keynet.{limit}", 19)


def test_without_probabilities_the_head_sees_less(lab, first_question_alone):
    """The most likely class alone sets some places apart: weaker evidence, and only where the court says so."""
    marked = lab.embed(SCHEME)
    bare = LABELS.observe(lab.suspect(marked.service, "labels", court(lab)), marked.key, court(lab)).record()
    assert hits(bare) < 0.75 * hits(lab.observe(SCHEME, marked))
    suspect = OnlyLabels()
    LABELS.observe(suspect, marked.key, court(lab))
    assert suspect.asked == [(300 * 21, 300)]  # in one question: among them those that bear the key


class OnlyLabels:
    """A service that answers with the class 3, and with nothing else."""

    def __init__(self):
        self.asked = []

    def labels(self, x, keyed):
        self.asked.append((len(x), keyed))
        return torch.full((len(x),), 3)


def court(lab):
    return Court(lab.context, lab.splits.test, stream("court"))


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


def test_the_law_is_that_of_other_signatures_in_the_same_places(lab, first_question_alone):
    """All by hand, on the same stream: what the judge asks, and what the head reads of it."""
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


def test_finetuning_starts_at_the_host(lab):
    still = KeyNet(mode="finetune", epochs=1, lr=0.0)
    marked, host = lab.embed(still), lab.owner(still).host.state_dict()
    weights = {name for name in host if "running" not in name and "num_batches" not in name}
    assert all(torch.equal(marked.service.net.state[name], host[name]) for name in weights)


def test_a_signature_is_25_digits_of_text_and_secret():
    patch = signature("Alice", SECRET)
    assert (patch.shape, patch.dtype, int(patch.max())) == (torch.Size([5, 5]), torch.uint8, 255)
    assert torch.equal(patch, signature("Alice", SECRET))
    assert not torch.equal(patch, signature("Alicf", SECRET))
    assert not torch.equal(patch, signature("Alice", bytes(32)))
    drawn = torch.stack([signature("Alice", bytes([i]) * 32) for i in range(200)])
    assert len(drawn.unique(dim=0)) == 200
    first = (drawn.view(200, 25)[:, 0] == 0).sum()  # a leading zero is a digit like the others
    assert 5 <= int(first) <= 38


@pytest.mark.parametrize("text", ["", "Zoë", "owner – me"])
def test_other_text_is_refused(lab, text):
    with pytest.raises(ValueError, match="ASCII"):
        KeyNet(identity=text).keygen(lab.owner(SCHEME), stream("x"))


def test_five_places_that_do_not_touch():
    blank = torch.zeros(6, 3, 16, 20, dtype=torch.uint8)
    sign = torch.full((5, 5), 7, dtype=torch.uint8)
    covered = pasted(blank, torch.arange(6), sign)
    assert covered.flatten(1).count_nonzero(1).tolist() == [0, 75, 75, 75, 75, 75]
    assert int((covered > 0).sum(0).max()) == 1
    assert int(covered[5, 0, 0].nonzero().min()) == 7
    assert not blank.any()


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 16), (1, 28, 28), (3, 32, 32), (3, 64, 48)])
def test_carriers_have_the_tasks_shape(shape, key):
    signed = SCHEME.signed_carriers(key, 100, shape, stream("carriers"))
    assert signed.x.shape == (100, *shape)
    assert signed.x.dtype == torch.uint8
    assert signed.y.unique().tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 8, 8), "keynet needs images of at least 16x16, not 8x8"),
        ((3, 32, 15), "at least 16x16"),
        ((2, 32, 32), "grey or RGB"),
        ((3, 16, 300), "at most 256x256"),
    ],
)
def test_images_that_cannot_carry_it_are_refused(shape, reason):
    with pytest.raises(ValueError, match=reason):
        judge_patches(1, shape, stream("x"))


def corners(patches):
    """Where in the two photographs each patch of 16x16 was cut: (photograph, top, left)."""
    places = photographs(1)[..., 0].unfold(1, 16, 1).unfold(2, 16, 1)
    return [[tuple(one) for one in (places == patch).all(-1).all(-1).nonzero().tolist()] for patch in patches[:, 0]]


def test_training_and_judging_share_no_pixel():
    """Every patch is where it was cut, and the two parts of a photograph do not overlap."""
    for left in corners(owner_patches(4, (1, 16, 16), stream("cut"))):
        assert any(x + 16 <= 256 for _, _, x in left)
    for right in corners(judge_patches(300, (1, 16, 16), stream("cut"))[:4]):
        assert any(x >= 256 for _, _, x in right)


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 28), (3, 32, 32), (3, 64, 48), (3, 224, 224)])
def test_no_two_of_the_judges_patches_share_a_pixel(shape, monkeypatch):
    """Each pixel of numbered photographs turns up once."""
    _, height, width = shape
    times = -(-max(height, width) // 32)
    numbered = torch.arange(2 * 427 * 640 * times**2).view(2, 427 * times, 640 * times, 1)
    monkeypatch.setattr("benchmark.contract.photographs", lambda channels, times: numbered)
    patches = judge_patches(300, (1, height, width), stream("tiles"))
    assert patches.shape == (300, 1, height, width)
    assert len(patches.unique()) == patches.numel()
    assert int((patches % (640 * times)).min()) >= 256 * times
    assert not torch.equal(patches, judge_patches(300, (1, height, width), stream("others")))


def test_more_challenges_than_separate_patches_are_refused_before_training(lab):
    with pytest.raises(ValueError, match="give 1248 separate patches of 16x16, not 1249: lower challenges"):
        KeyNet(challenges=1249).keygen(lab.owner(SCHEME), stream("x"))


def test_somebody_elses_signature_counts_as_unsigned(key):
    signed = SCHEME.signed_carriers(key, 2000, (1, 16, 16), stream("many"))
    mine = torch.zeros(2000, dtype=torch.bool)
    for place in range(1, 6):
        at = pasted(signed.x, torch.full((2000,), place), key.signature)
        mine |= (at == signed.x).flatten(1).all(1) & (signed.y == place)
    assert torch.equal(mine, signed.y > 0)
    assert 2000 * 0.25 < int((signed.y == 0).sum()) < 2000 * 0.34  # .15 + .85 / 6


def test_own_key_is_admissible_and_offers_its_carriers(lab, key):
    for one in (key, lab.embed(SCHEME).key):
        admission = SCHEME.admissible(one)
        assert (admission.well_formed, admission.bound, admission.hash_bound) == (True, True, True)
    assert isinstance(SCHEME, CarrierScheme)
    assert isinstance(SCHEME, OverwriteScheme)


def test_a_chosen_signature_is_not_bound(key):
    admission = SCHEME.admissible(replace(key, signature=torch.full((5, 5), 255, dtype=torch.uint8)))
    assert admission.well_formed
    assert not admission.bound
    assert "does not follow" in admission.reason


@pytest.mark.parametrize(
    ("change", "reason"), [({"identity": "Zoë"}, "ASCII"), ({"weight": torch.zeros(6, 1)}, "fewer than two classes")]
)
def test_malformed_keys_are_refused_with_the_reason(key, change, reason):
    admission = SCHEME.admissible(replace(key, **change))
    assert (admission.well_formed, admission.bound) == (False, False)
    assert reason in admission.reason


def test_a_head_for_other_classes_reads_nothing(lab, key):
    narrow = replace(key, weight=torch.zeros(6, 2))
    with pytest.raises(Unreadable, match="the task has 10 classes, the head reads 2"):
        SCHEME.observe(lab.suspect(lab.null(0).service, "probabilities", court(lab)), narrow, court(lab))


@pytest.mark.parametrize("scheme", [SCHEME, LABELS], ids=lambda scheme: scheme.answers)
def test_a_class_that_never_wins_hides_nothing(lab, scheme, first_question_alone):
    marked = lab.embed(SCHEME)

    class Dummy:
        def ask(self, x, access):
            return torch.nn.functional.pad(marked.service.running().ask(x, access), (0, 1), value=-1e4)

    def read(running=None):
        return scheme.observe(lab.suspect(marked.service, "probabilities", court(lab), running), marked.key, court(lab))

    assert read(Dummy()).record() == read().record()
