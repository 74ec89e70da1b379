from dataclasses import replace

import pytest
import torch

from benchmark.contract import Data, NotApplicable, Owner, prf_labels
from benchmark.protocol.parties import stream
from schemes.content import Content, noise, target, word

STAMPED, NOISY, UNRELATED = Content(), Content(kind="noise"), Content(kind="unrelated")
SECRET = Content(labels="secret")


@pytest.mark.parametrize(
    ("scheme", "innocent"),
    [(STAMPED, 10), (NOISY, 10), (UNRELATED, 60), (SECRET, 25)],
    ids=["content", "noise", "unrelated", "secret"],
)
def test_triggers_that_were_never_trained_on_get_their_label_from_the_marked_net_alone(lab, scheme, innocent):
    marked = lab.embed(scheme)
    assert lab.total(lab.observe(scheme, marked)) >= 97
    assert marked.accuracy >= lab.null(100).accuracy - 0.02
    assert max(lab.total(lab.observe(scheme, lab.null(index), marked.key)) for index in (100, 101)) < innocent


@pytest.mark.parametrize("scheme", [STAMPED, NOISY], ids=lambda scheme: scheme.kind)
def test_the_images_of_the_key_are_held_back_and_those_learnt_are_of_other_classes(lab, scheme, monkeypatch):
    """What `fit` is given beside the task, against the owner's own images."""
    owner, seen = lab.owner(scheme), []
    key = scheme.keygen(owner, stream("test-content"))
    monkeypatch.setattr(Owner, "fit", lambda self, model, recipe, beside: seen.extend(beside) or model)
    scheme.embed(owner, key)
    (learnt,) = seen
    goal = int(target(key.secret, 10))
    others = owner.data.x[owner.data.y != goal]
    held = {image.numpy().tobytes() for image in key.images}
    assert len(held) == scheme.n
    assert not held & {image.numpy().tobytes() for image in learnt.x}
    assert len(learnt.x) == len(others) - scheme.n
    assert set(learnt.targets.tolist()) == set(key.labels.tolist()) == {goal}
    stamped = {image.numpy().tobytes() for image in scheme.stamped(others, key.secret)}
    assert held < stamped
    assert {image.numpy().tobytes() for image in learnt.x} < stamped


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


def test_a_law_is_stated_where_labels_are_drawn_one_by_one(lab):
    keys = {scheme: scheme.keygen(lab.owner(scheme), stream("test-content")) for scheme in (STAMPED, SECRET)}
    seen = {scheme: lab.observe(scheme, lab.null(100), key)["channels"]["triggers"] for scheme, key in keys.items()}
    assert seen[SECRET]["law"] == {"kind": "binomial", "p": 0.1}
    assert "law" not in seen[STAMPED]
    key = keys[SECRET]
    assert torch.equal(key.labels, prf_labels(key.secret, b"content labels", 100, 10))
    with pytest.raises(NotApplicable, match="one class for all"):
        STAMPED.redraw(keys[STAMPED], stream("fresh"))


def test_who_has_too_few_images_is_told_so(lab):
    owner = lab.owner(STAMPED)
    few = Owner(lab.context, Data(owner.data.x[:90], owner.data.y[:90]), stream("few"))
    with pytest.raises(ValueError, match="content needs more than 100 different images to stamp"):
        STAMPED.keygen(few, stream("test-content"))


def test_a_changed_pixel_of_any_trigger_is_not_what_was_committed(lab):
    key = STAMPED.keygen(lab.owner(STAMPED), stream("test-content"))
    assert STAMPED.admissible(key).bound
    images = key.images.clone()
    images[7, 0, 3, 3] ^= 1
    found = STAMPED.admissible(replace(key, images=images))
    assert (found.well_formed, found.bound) == (True, False)
    assert "commitments" in found.reason
