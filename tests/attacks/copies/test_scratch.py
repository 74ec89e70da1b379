"""Training anew: every recipe, which one is chosen, and that the control works as hard as the attacks do."""

import csv

import pytest
import torch
import torch.nn.functional as F
from lab import Lab

from attacks.copies.scratch import (
    FOLDS,
    IMAGE_RECIPES,
    LONGER,
    RECIPES,
    KernelMachine,
    Scratch,
    exchanged,
    moved,
    spread,
    trials,
)
from benchmark import contract as wm
from benchmark.contract import NotApplicable, Thief
from benchmark.data.splits import Data, Holdings, thief_data
from benchmark.planning.profile import load_profile
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import steal
from benchmark.training.flops import counted
from leaderboard.judge.published import PUBLISHED
from schemes.adi import Adi

ADI = Adi()
STEPS = 150  # of an owner of 1,000 digits: 10 epochs of 15 batches


def holdings(lab, labelled=24, replicate=0):
    pool = lab.splits.thief
    rng = stream(replicate, "thief-data", lab.context.task.name)
    images, held_out = thief_data(pool, labelled, len(pool) - labelled, rng, lab.context.task.kind)
    return images.joined(held_out)


def thief(lab, images):
    return Thief(lab.context, images, stream("scratch"), None, "none")


def right(lab, module):
    test = lab.splits.test
    with torch.no_grad():
        return float((module.cpu()(test.images()).argmax(1) == test.y).float().mean())


def test_scratch_learns_the_task_without_the_mark(lab):
    own = lab.attack(Scratch("house"), None)
    assert own.accuracy > 0.95
    assert lab.total(lab.observe(ADI, own, lab.embed(ADI).key)) < 25  # P(Bin(100, 1/10) >= 25) = 1e-5
    cost = own.cost.record()
    assert (cost["labelled"], cost["unlabelled"], cost["queries"]) == (400, 400, 0)
    assert (cost["steps"], cost["samples"]) == (STEPS, STEPS * 64)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_beats_chance_by_far_with_few_labels(lab, recipe):
    one = thief(lab, holdings(lab))
    net = Scratch(recipe).run(one)
    assert right(lab, net) > 0.55
    expected = {"kernel": 0, "pseudo": 2 * STEPS, "longer": LONGER * STEPS}.get(recipe, STEPS)
    assert abs(one.meter.steps - expected) <= 6  # whole epochs
    assert one.meter.samples == 64 * one.meter.steps  # full batches of few images


def test_labels_spread_to_their_neighbours_and_stay_where_they_are_known(lab):
    images = holdings(lab)
    found = spread(images.labelled, images.unlabelled, 10)
    order = torch.randperm(400, generator=stream(0, "thief-data", "digits"))
    truth = lab.splits.thief.y[order[24:]]
    assert torch.equal(found.y[:24].argmax(1), images.labelled.y)
    assert torch.allclose(found.y.sum(1), torch.ones(400))
    nearest = torch.cdist(images.unlabelled.flatten(1).float(), images.labelled.x.flatten(1).float()).argmin(1)
    plain = (images.labelled.y[nearest] == truth).float().mean()
    assert (found.y[24:].argmax(1) == truth).float().mean() > plain + 0.05


@pytest.mark.parametrize(("labelled", "unlabelled"), [(30, 500), (60, 500)])
def test_labels_spread_over_so_many_images_and_no_more(lab, monkeypatch, labelled, unlabelled):
    monkeypatch.setattr("attacks.copies.scratch.COMPARED", 50)
    images = lab.splits.thief
    many = images.take(torch.arange(labelled) % len(images))
    assert len(spread(many, images.x[torch.arange(unlabelled) % len(images)], 10)) == 50


def test_labels_that_spread_over_nothing_are_the_known_ones(lab):
    few = lab.splits.thief.take(torch.arange(12))
    assert torch.equal(spread(few, few.x[:0], 10).y, F.one_hot(few.y, 10).float())


def test_moved_images_keep_their_labels_and_most_of_their_ink(lab):
    data = lab.splits.thief
    x, y = moved(data.images(), data.y, torch.Generator().manual_seed(1))
    assert x.shape == data.x.shape
    assert torch.equal(y, data.y)
    assert float((x - data.images()).abs().mean()) > 0.02
    assert float(x.sum() / data.images().sum()) == pytest.approx(1, abs=0.1)


def test_a_kernel_machine_is_a_net_that_rebuilds(lab):
    images = holdings(lab)
    net = KernelMachine.fitted(spread(images.labelled, images.unlabelled, 10))
    service, _, _ = steal([Scratch("kernel")], lab.context, images, 0, None)
    assert service.net.spec["builder"] == "kernel-machine"
    assert torch.allclose(service.net.module()(lab.splits.test.images()), net(lab.splits.test.images()), atol=1e-4)
    assert right(lab, net) > 0.6
    observed = lab.observe(ADI, lab._exhibit(service), lab.embed(ADI).key)
    assert lab.total(observed) < 25


def test_the_best_recipe_is_chosen_by_labelled_images_that_it_did_not_see(lab, monkeypatch):
    """One of two recipes answers right on whatever it was shown, the other on everything."""
    images = holdings(lab)
    known = {
        image.numpy().tobytes(): int(label) for image, label in zip(lab.splits.thief.x, lab.splits.thief.y, strict=True)
    }
    tried = []

    class Oracle(torch.nn.Module):
        def __init__(self, shown):
            super().__init__()
            self.shown = shown

        def forward(self, x):
            keys = [(one * 255).round().to(torch.uint8).numpy().tobytes() for one in x]
            return F.one_hot(torch.tensor([self.shown.get(key, 0) for key in keys]), 10).float()

    def learnt(thief, own, more, steps):
        tried.append((len(own), steps))
        return Oracle({image.numpy().tobytes(): int(label) for image, label in zip(own.x, own.y, strict=True)})

    monkeypatch.setattr("attacks.copies.scratch.RECIPES", {"learnt": learnt, "true": lambda *given: Oracle(known)})
    assert Scratch().run(thief(lab, images)).shown is known
    assert tried == [(16, STEPS // FOLDS)] * FOLDS


def test_a_thief_without_other_images_leaves_out_what_needs_them(lab):
    one = thief(lab.hasty(3), Holdings.of(lab.splits.thief.take(torch.arange(6))))
    assert right(lab, Scratch().run(one)) > 0.2
    with pytest.raises(NotApplicable, match="labelled images, and this thief has none"):
        Scratch().run(thief(lab, Holdings(lab.splits.thief.take(torch.arange(0)), lab.splits.thief.x)))


BOARDS = ("quick", "quick-all")  # of the quick profile: together they ran every attack on both of its tasks


def strongest(task):
    """The most multiply-adds that a removal or an extraction took on the boards, at any setting."""
    rows = [row for board in BOARDS for row in csv.DictReader((PUBLISHED / board / "matrix.csv").open())]
    counted = [row for row in rows if row["task"] == task and row["kind"] in ("removal", "extraction")]
    return max(float(row["operations"]) for row in counted if row["operations"])


@pytest.mark.parametrize("kind", ["classification", "image-to-image"])
def test_scratch_counts_more_work_than_any_attack_of_its_thief(kind):
    """The search alone, whatever it finds, as it grows from few steps to twice as many and so to the owner's."""
    track = load_profile("quick").track([kind])
    lab, few = Lab(kind), 5 * FOLDS  # recipes round what is much less
    images, recipes = holdings(lab, track.thief.labelled[0]), RECIPES if kind == "classification" else IMAGE_RECIPES
    spent = []
    for steps in (few, 2 * few):
        one = thief(lab.hasty(), images)
        with counted(one.meter):
            trials(one, one.data, one.inputs[len(one.data) :], steps, recipes)
        spent.append(one.meter.operations)
    owners = track.training.epochs * (lab.context.task.owner // track.training.batch)
    whole = spent[0] + (owners / few - 1) * (spent[1] - spent[0])
    assert whole > strongest(lab.context.task.name)


def test_scratch_reproduces(lab):
    nets = [steal([Scratch("moved")], lab.hasty().context, holdings(lab), 0, None)[0].net for _ in range(2)]
    assert all(torch.equal(tensor, nets[1].state[name]) for name, tensor in nets[0].state.items())


def test_pairs_are_learnt_by_the_best_of_six_recipes(image_lab):
    pairs = Holdings.of(Data(*(part[:24] for part in (image_lab.splits.thief.x, image_lab.splits.thief.y))))
    one = thief(image_lab.hasty(2), pairs)
    Scratch().run(one)
    owned = 2 * (512 // 8)
    search = (5 + LONGER) * owned
    assert any(one.meter.steps == pytest.approx(search + times * owned, abs=30) for times in (1, LONGER))
    assert {*IMAGE_RECIPES} == {"house", "turned", "exchanged", "longer", "residual", "plain"}
    with pytest.raises(NotApplicable, match="spread is no recipe for image-to-image nets: it is longer, exchanged"):
        Scratch("spread").run(one)


@pytest.mark.parametrize("recipe", IMAGE_RECIPES)
def test_every_recipe_of_pairs_restores_images_somewhat(image_lab, recipe):
    pairs = Holdings.of(Data(*(part[:24] for part in (image_lab.splits.thief.x, image_lab.splits.thief.y))))
    net = Scratch(recipe).run(thief(image_lab.hasty(3), pairs))
    test = image_lab.splits.test
    with torch.no_grad():
        error = F.mse_loss(net(test.images()).clamp(0, 1), wm.as_float(test.y))
    assert float(error) < 0.7 * float(F.mse_loss(test.images(), wm.as_float(test.y)))


def test_degradations_change_places_and_clean_images_stay_clean():
    """Two grey images: rain that leaves half of what they lack to white lies on the first alone."""
    clean = torch.stack([torch.full((1, 4, 4), 0.2), torch.full((1, 4, 4), 0.6)])
    rained = torch.stack([torch.full((1, 4, 4), 0.6), torch.full((1, 4, 4), 0.6)])
    seen = set()
    for seed in range(8):
        x, y = exchanged(rained, clean, torch.Generator().manual_seed(seed))
        assert torch.equal(y, clean)
        seen.add(tuple(round(float(one.mean()), 3) for one in x))
    assert seen == {(0.6, 0.6), (0.2, 0.8)}  # each under its own, and each under the other's
