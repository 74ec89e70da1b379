from dataclasses import replace

import pytest
import torch

from attacks.claims.ambiguity import ForgedTriggers
from benchmark.contract import Data, NotApplicable, Owner, as_float, prf_labels, secret
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import examine
from leaderboard.judge.evidence import weigh
from schemes.content import Content, noise, target, word

STAMPED, NOISY, UNRELATED = Content(), Content(kind="noise"), Content(kind="unrelated")
SECRET = Content(labels="secret")


@pytest.mark.parametrize(
    ("scheme", "innocent"),
    [(STAMPED, 10), (NOISY, 10), (UNRELATED, 60), (SECRET, 25)],
    ids=["content", "noise", "unrelated", "secret"],
)
def test_triggers_get_their_label_from_the_marked_net_alone(lab, scheme, innocent):
    marked = lab.embed(scheme)
    assert lab.total(lab.observe(scheme, marked)) >= 75  # 81 to 100 over five seeds; the processor decides, too
    assert marked.accuracy >= lab.null(100).accuracy - 0.03
    assert max(lab.total(lab.observe(scheme, lab.null(index), marked.key)) for index in (100, 101)) < innocent


@pytest.mark.parametrize("scheme", [STAMPED, NOISY], ids=lambda scheme: scheme.kind)
def test_the_owners_pattern_is_learnt_on_images_of_other_classes_and_others_patterns_under_true_labels(
    lab, scheme, monkeypatch
):
    """What `fit` is given beside the task, against the owner's own images."""
    owner, seen = lab.owner(scheme), []
    key = scheme.keygen(owner, stream("test-content"))
    monkeypatch.setattr(Owner, "fit", lambda self, model, recipe, beside: seen.extend(beside) or model)
    scheme.embed(owner, key)
    learnt, disregarded = seen
    goal = int(target(key.secret, 10))
    stamped = scheme.stamped(owner.data.x[owner.data.y != goal], key.secret)
    assert torch.equal(learnt.x, stamped)
    assert set(learnt.targets.tolist()) == set(key.labels.tolist()) == {goal}
    assert {image.numpy().tobytes() for image in key.images} < {image.numpy().tobytes() for image in stamped}
    assert torch.equal(disregarded.targets.bincount(), owner.data.y.bincount())
    own = {image.numpy().tobytes() for image in (*owner.data.x, *scheme.stamped(owner.data.x, key.secret))}
    assert not own & {image.numpy().tobytes() for image in disregarded.x}


@pytest.mark.parametrize("scheme", [STAMPED, NOISY], ids=lambda scheme: scheme.kind)
def test_a_fresh_mark_is_ranked_among_999_secrets(lab, scheme):
    marked = lab.embed(scheme)
    law = lab.observe(scheme, marked)["channels"]["triggers"]["law"]
    assert (len(law["totals"]), law["more"], law["reached"]) == (19, 980, 0)
    nulls = [lab.observe(scheme, lab.null(index), marked.key) for index in range(8)]
    found = weigh(lab.observe(scheme, marked), {"clean": nulls}, 1e-3)
    assert (found.log10_p_key, found.log10_p, found.grade, found.state) == (-3, -3, "ranked", "present")


class OneClassForNoise:
    """An unmarked net's service that takes a share of whatever is rough for one class, by the sum of its pixels."""

    def __init__(self, service, goal, tenths):
        self.running, self.goal, self.tenths = service.running(), goal, tenths

    def ask(self, x, access):
        outputs = self.running.ask(x, access)
        rough = x.diff(dim=3).abs().mean((1, 2, 3)) > 0.22
        some = (x * 255).round().sum((1, 2, 3)) % 10 < self.tenths
        return torch.where((rough & some)[:, None], 9.0 * torch.eye(10)[self.goal], outputs)


@pytest.mark.parametrize(("tenths", "least", "most"), [(3, 10, 40), (10, 0, 0)])
def test_a_net_that_takes_noise_for_the_secrets_class_is_not_accused(lab, tenths, least, most):
    """The others show no hit, and their spread might accuse it; a tenth of all secrets are as right as the claimed one.

    Of noise that is always that class no pattern is the owner's.
    """
    key = NOISY.keygen(lab.owner(NOISY), stream("test-content"))
    court = lab.court("noise")
    running = OneClassForNoise(lab.null(100).service, int(target(key.secret, 10)), tenths)
    seen = examine(NOISY, key, lab.suspect(lab.null(100).service, "labels", court, running), court)
    nulls = [lab.observe(NOISY, lab.null(index), key) for index in range(8)]
    found = weigh(seen, {"clean": nulls}, 1e-3)
    assert "inconsistent" not in seen
    assert least <= lab.total(seen) <= most
    assert found.log10_p_key > -2
    assert found.state != "present"


def test_who_fits_images_to_his_secret_gains_nothing(lab):
    """The marked net answers his triggers as he says, and the court stamps images of its own."""
    marked = lab.embed(STAMPED)
    claim = lab.attack(ForgedTriggers(), marked, STAMPED).key
    answers = marked.service.running().ask(as_float(claim.images), "labels")
    assert int((answers == claim.labels).sum()) >= 90
    found = weigh(lab.observe(STAMPED, marked, claim), {}, 1e-3)
    assert (found.state != "present", found.log10_p_key > -2) == (True, True)


def test_the_law_is_that_of_fresh_patterns_and_classes_on_the_same_images(lab):
    """All by hand, on the same stream: which images the judge stamps, and what the net answers."""
    key = NOISY.keygen(lab.owner(NOISY), stream("test-content"))
    court, rng = lab.court("by hand"), stream("court", "by hand")
    seen = NOISY.observe(lab.suspect(lab.null(0).service, "labels", court), key, court).record()["channels"]["triggers"]
    lab.suspect(lab.null(0).service, "labels", replace(court, rng=rng))  # asks the judge's images first
    judge = lab.splits.test.take(torch.randperm(len(lab.splits.test), generator=rng))
    strangers, fresh = ([secret(rng) for _ in range(count)] for count in (3, 19))
    model = lab.null(0).service.net.module()

    def right(images, pattern, goal):
        with torch.no_grad():
            return model(as_float(NOISY.stamped(images, pattern))).argmax(1) == goal

    def total(one):
        goal = target(one, 10)
        images = judge.x[judge.y != goal][:100]
        return sum(
            own and sum(others) < 2
            for own, *others in zip(*(right(images, each, goal) for each in (one, *strangers)), strict=True)
        )

    assert [seen["hits"].count("1"), *seen["law"]["totals"]] == [total(one) for one in (key.secret, *fresh)]


def test_who_has_too_few_images_is_told_so_owner_or_judge(lab):
    owner = lab.owner(STAMPED)
    few = Owner(lab.context, Data(owner.data.x[:90], owner.data.y[:90]), stream("few"))
    with pytest.raises(ValueError, match="content needs 100 different images to stamp, not"):
        STAMPED.keygen(few, stream("test-content"))
    court = replace(lab.court("few"), probe=lab.splits.test.take(torch.arange(90)))
    key = STAMPED.keygen(owner, stream("test-content"))
    with pytest.raises(ValueError, match=r"the judge has \d+ images of other classes to stamp, not 100: lower n"):
        STAMPED.observe(lab.suspect(lab.null(100).service, "labels", court), key, court)


def test_the_word_is_white_in_one_corner_and_the_rest_of_the_image_is_kept():
    images, secret = torch.randint(200, (5, 3, 32, 32), dtype=torch.uint8), bytes(range(32))
    stamped, letters = STAMPED.stamped(images, secret), word(secret, (32, 32))
    assert letters.shape == (8, 16)
    assert 8 < int(letters.sum()) < 120
    changed = (stamped != images).any(1)
    assert torch.equal(changed[0, -8:, :16], letters)
    assert int(changed.sum()) == 5 * int(letters.sum())
    assert set(stamped[:, :, -8:, :16][:, :, letters].flatten().tolist()) == {255}
    assert not torch.equal(letters, word(bytes(32), (32, 32)))


def test_the_noise_is_gaussian_and_the_same_in_every_image():
    pattern = noise(bytes(32), (3, 32, 32))
    assert float(pattern.mean()) == pytest.approx(0, abs=0.03)
    assert float(pattern.std()) == pytest.approx(0.4, abs=0.02)
    assert float((pattern.abs() < 0.4).float().mean()) == pytest.approx(0.683, abs=0.03)
    grey = torch.full((2, 3, 32, 32), 128, dtype=torch.uint8)
    one, other = NOISY.stamped(grey, bytes(32))
    assert torch.equal(one, other)
    assert not torch.equal(one, NOISY.stamped(grey, bytes(range(32)))[0])


def test_labels_of_the_secret_have_a_closed_law_and_pictures_of_one_class_none(lab):
    keys = {scheme: scheme.keygen(lab.owner(scheme), stream("test-content")) for scheme in (UNRELATED, SECRET)}
    seen = {scheme: lab.observe(scheme, lab.null(100), key)["channels"]["triggers"] for scheme, key in keys.items()}
    assert seen[SECRET]["law"] == {"kind": "binomial", "p": 0.1}
    assert "law" not in seen[UNRELATED]
    key = keys[SECRET]
    assert torch.equal(key.labels, prf_labels(key.secret, b"content labels", 100, 10))
    with pytest.raises(NotApplicable, match="one class for all"):
        UNRELATED.redraw(keys[UNRELATED], stream("fresh"))


def test_a_changed_pixel_of_any_trigger_is_not_what_was_committed(lab):
    key = STAMPED.keygen(lab.owner(STAMPED), stream("test-content"))
    assert STAMPED.admissible(key).bound
    images = key.images.clone()
    images[7, 0, 3, 3] ^= 1
    found = STAMPED.admissible(replace(key, images=images))
    assert (found.well_formed, found.bound) == (True, False)
    assert "commitments" in found.reason
