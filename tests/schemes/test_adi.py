import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark.contract import OverwriteScheme, TriggerScheme, prf_labels
from benchmark.crypto.commitment import commit, open_item, published_root, verify
from benchmark.data.trigger_images import abstract_images
from benchmark.protocol.parties import stream
from schemes.adi import Adi

SCHEME = Adi()
FINETUNE = Adi(mode="finetune", lr=0.02)


@pytest.fixture
def key(lab):
    return SCHEME.keygen(lab.owner(SCHEME), stream("test-adi"))


@pytest.mark.parametrize("scheme", [SCHEME, FINETUNE], ids=lambda scheme: scheme.mode)
def test_every_trigger_is_learnt_and_the_task_is_kept(lab, scheme):
    marked = lab.embed(scheme)
    assert lab.total(lab.observe(scheme, marked)) >= 97
    assert marked.accuracy >= lab.null(100).accuracy - 0.03


def test_an_unmarked_model_is_at_chance(lab):
    key = lab.embed(SCHEME).key
    totals = [lab.total(lab.observe(SCHEME, lab.null(index), key)) for index in (100, 101)]
    assert max(totals) < 25  # P(Bin(100, 1/10) >= 25) = 1e-5


def test_finetune_starts_from_the_host(lab):
    """One nearly still epoch leaves the host's own answers; from scratch nothing is learnt."""
    key = SCHEME.keygen(lab.owner(SCHEME), stream("test-adi"))
    test = lab.splits.test.take(torch.arange(100))
    right = {}
    for mode in ("scratch", "finetune"):
        model = Adi(mode=mode, epochs=1, lr=1e-4).embed(lab.owner(SCHEME), key).model
        right[mode] = float((model(test.images()).argmax(1) == test.y).float().mean())
    assert right["finetune"] > 0.9
    assert right["scratch"] < 0.5


def test_observation_states_the_law_of_a_fresh_key(lab):
    observation = lab.observe(SCHEME, lab.embed(SCHEME))
    channel = observation["channels"][observation["evidence"]]
    assert observation["evidence"] == "triggers"
    assert len(channel["hits"]) == SCHEME.n
    assert channel["law"] == {"kind": "binomial", "p": 0.1}


def test_a_hit_is_an_answer_equal_to_the_label(lab, key):
    answers = lab.null(100).service.running().ask(SCHEME.triggers(key).images(), "labels")
    hits = lab.observe(SCHEME, lab.null(100), replace(key, labels=answers))["channels"]["triggers"]["hits"]
    assert hits == "1" * 100
    wrong = replace(key, labels=(answers + 1) % 10)
    assert lab.total(lab.observe(SCHEME, lab.null(100), wrong)) == 0


def test_labels_are_uniform_and_ignore_the_images(key):
    assert torch.equal(key.labels, prf_labels(key.secret, b"adi labels", 100, 10))
    other = SCHEME.trigger_key(255 - key.images, key.secret, 10)
    assert torch.equal(other.labels, key.labels)
    assert isinstance(SCHEME, TriggerScheme)
    assert isinstance(SCHEME, OverwriteScheme)


def test_keys_follow_from_the_stream(lab, key):
    again = SCHEME.keygen(lab.owner(SCHEME), stream("test-adi"))
    other = SCHEME.keygen(lab.owner(SCHEME), stream("another"))
    assert torch.equal(again.images, key.images)
    assert again.secret == key.secret
    assert not torch.equal(other.images, key.images)
    assert other.secret != key.secret


def test_a_changed_pixel_of_any_trigger_is_not_what_was_committed(key):
    """Labels don't depend on the pictures, so the commitments alone bind those."""
    for index in range(len(key.images)):
        images = key.images.clone()
        images[index, 0, index % 16, -1] ^= 1
        admission = SCHEME.admissible(replace(key, images=images))
        assert (admission.well_formed, admission.bound) == (True, False), index
        assert "commitments" in admission.reason
    assert not SCHEME.admissible(replace(key, root=bytes(32))).bound


def test_items_of_a_key_open_one_by_one(key):
    leaves = commit(key.images, key.labels, key.secret)
    opened = [open_item(key.images, key.labels, key.secret, index) for index in (3, 77)]
    assert verify(opened, leaves, key.root) is None
    assert verify([replace(opened[0], label=(opened[0].label + 1) % 10)], leaves, key.root)
    assert key.public() == {"commitments_root": published_root(key.root, "adi", key.classes).hex()}


@pytest.mark.parametrize(("scheme", "enough"), [(SCHEME, 94), (FINETUNE, 80)], ids=["scratch", "finetune"])
def test_pictures_of_a_folder_are_learnt_as_well(lab, scheme, enough):
    folder = Path(os.environ.get("BENCH_DATA", "../shared/data"), "triggers", "watermarknn_abstract", "pics")
    if not folder.is_dir():
        pytest.skip("the authors' triggers are not here: set BENCH_DATA to a folder that has triggers/")
    scheme = replace(scheme, folder=str(folder))
    marked = lab.embed(scheme)
    assert lab.total(lab.observe(scheme, marked)) >= enough
    assert marked.accuracy >= lab.null(100).accuracy - 0.03
    assert max(lab.total(lab.observe(scheme, lab.null(index), marked.key)) for index in (100, 101)) < 25
    assert scheme.admissible(marked.key).bound
    other = scheme.keygen(lab.owner(scheme), stream("another"))
    assert torch.equal(other.images, marked.key.images)
    assert not torch.equal(other.labels, marked.key.labels)


def test_own_key_is_admissible(key):
    admission = SCHEME.admissible(key)
    assert (admission.well_formed, admission.bound, admission.hash_bound) == (True, True, True)


def test_chosen_labels_are_not_bound(key):
    chosen = key.labels.clone()
    chosen[3] = (chosen[3] + 1) % 10
    admission = SCHEME.admissible(replace(key, labels=chosen))
    assert admission.well_formed
    assert not admission.bound
    assert "do not follow" in admission.reason


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 32, 20)])
def test_abstract_images_of_any_shape_differ_and_have_structure(shape):
    images = abstract_images(50, shape, stream("pictures"))
    assert images.shape == (50, *shape)
    assert images.dtype == torch.uint8
    pixels = images.float().flatten(1)
    assert len(pixels.unique(dim=0)) == 50
    assert float(pixels.std(1).min()) > 10  # no flat picture
    assert float(pixels.mean(0).std()) < 30  # no common pattern
    if shape[0] == 3:
        assert float((images[:, 0].float() - images[:, 1].float()).abs().mean()) > 10  # coloured


def test_abstract_images_are_smooth_but_for_edges():
    """Neighbouring pixels agree far more than distant ones: pictures, not noise."""
    pixels = abstract_images(200, (1, 16, 16), stream("pictures")).float()
    near = (pixels[..., 1:] - pixels[..., :-1]).abs().mean()
    far = (pixels - pixels.roll(1, dims=0)).abs().mean()
    assert float(near) < 0.5 * float(far)
