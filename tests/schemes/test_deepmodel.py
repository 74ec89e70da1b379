"""Deep-model watermarking: what R reads in the owner's images, in surrogates', and where nobody hid anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from attacks.copies.scratch import Scratch
from attacks.copies.surrogate import Surrogate
from benchmark.contract import NotApplicable, as_float, logits
from benchmark.errors import BenchError
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_schemes
from benchmark.protocol.parties import Owner, stream
from benchmark.protocol.steps import distortion
from benchmark.training.image_quality import psnr
from leaderboard.judge.evidence import weigh
from schemes.deepmodel import DeepModel, normalised_correlation, projection
from schemes.deepmodel_key import CELLS, block_code, read_image
from schemes.deepmodel_net import reading_loss

SCHEME = DeepModel()
SIZE = (32, 32)


@pytest.fixture(scope="session")
def marked(image_lab):
    return image_lab.embed(SCHEME)


@pytest.fixture(scope="session")
def nulls(image_lab, marked):
    return {"clean": [image_lab.observe(SCHEME, image_lab.null(index), marked.key) for index in range(8)]}


def seen(lab, exhibit, key, channel="projection"):
    observation = lab.observe(SCHEME, exhibit, key)
    one = observation["channels"][channel]
    return torch.tensor(one["values"] if "values" in one else [hit == "1" for hit in one["hits"]]).float()


def images(lab, exhibit):
    return exhibit.service.running().ask(lab.splits.test.images(), "outputs")


def test_every_output_carries_the_mark_and_stays_close_to_the_hosts(image_lab, marked):
    host = image_lab.null(100)
    assert seen(image_lab, marked, marked.key).mean() > 0.7
    assert seen(image_lab, marked, marked.key, "success").mean() > 0.8
    before, after = (image_lab.answers(one.service) for one in (host, marked))
    found = distortion(before, after)
    assert found["psnr"] == psnr(after.outputs, before.outputs.clamp(0, 1)).tolist()
    assert np.mean(found["psnr"]) > 34
    assert 0.9 < np.mean(found["ssim"]) < 0.999
    assert marked.accuracy > host.accuracy - 1
    assert host.accuracy > psnr(image_lab.splits.test.images(), as_float(image_lab.splits.test.y)).mean() + 3


def test_a_surrogate_of_another_architecture_carries_it_too(image_lab, marked, nulls):
    """The owner's own surrogate is a UNet."""
    stolen = image_lab.attack(Surrogate(architecture="residual", blocks=4, epochs=8), marked, SCHEME)
    assert stolen.accuracy > 17.1 + 3  # a surrogate that learnt the service, above the degraded images
    found = weigh(image_lab.observe(SCHEME, stolen, marked.key), nulls, 1e-3)
    assert found.state == "present"
    assert seen(image_lab, stolen, marked.key).mean() > 0.7


def test_nets_that_never_saw_a_marked_image_carry_none(image_lab, marked, nulls):
    for exhibit in (image_lab.null(8), image_lab.attack(Scratch("house"), None)):
        assert weigh(image_lab.observe(SCHEME, exhibit, marked.key), nulls, 1e-3).state != "present"
        assert seen(image_lab, exhibit, marked.key).mean() < 0.1
    for control in ("degraded", "clean", "flat"):
        assert seen(image_lab, marked, marked.key, control).mean().abs() < 0.1


def test_turned_and_mirrored_pairs_break_it(image_lab, marked, nulls):
    # 12 epochs leave some of it in two seeds of three, 15 in one
    stolen = image_lab.attack(Surrogate(augment=True, epochs=18), marked, SCHEME)
    assert stolen.accuracy > 17.1 + 3
    assert weigh(image_lab.observe(SCHEME, stolen, marked.key), nulls, 1e-3).state != "present"
    assert seen(image_lab, stolen, marked.key).mean() < 0.2


def test_the_extractor_knows_its_secret_by_heart(image_lab, marked):
    """A shifted image still gives the secret where it always is: R shows that a mark is there, not which."""
    image = as_float(marked.key.image)
    read = logits(marked.key.extractor.module(), torch.roll(images(image_lab, marked), (4, 4), (2, 3)))
    assert projection(read, image).mean() > 0.6
    assert projection(read, torch.roll(image, (4, 4), (1, 2))).mean() < 0.3


def test_the_papers_correlation_is_high_for_a_blank_answer():
    image = as_float(block_code(bytes(range(32)), SIZE))
    blank = torch.full((1, 1, *SIZE), 0.5)
    assert torch.nn.functional.cosine_similarity(blank.flatten(1), image.flatten(), dim=1).item() > 0.7
    assert normalised_correlation(blank, image).item() == pytest.approx(0, abs=1e-6)
    assert projection(blank, image).item() == 0


def test_the_projection_says_how_much_of_the_secret_there_is():
    image = as_float(block_code(bytes(range(32)), SIZE))
    weak = 0.3 + 0.1 * image[None]
    assert projection(weak, image).item() == pytest.approx(0.1, rel=1e-4)
    assert normalised_correlation(weak, image).item() == pytest.approx(1, rel=1e-4)
    assert projection(1 - image[None], image).item() == pytest.approx(-1, rel=1e-4)


def test_the_reading_loss_is_zero_where_r_is_right_and_only_there():
    image = as_float(block_code(bytes(range(32)), SIZE))[None]
    right = torch.cat([image.expand(4, -1, -1, -1), torch.full((8, 1, *SIZE), 0.5)])
    assert reading_loss(right, image, 4).item() == 0
    assert reading_loss(torch.full_like(right, 0.5), image, 4).item() == pytest.approx(0.25)
    assert reading_loss(image.expand(12, -1, -1, -1), image, 4).item() == pytest.approx(2 * 0.25)
    uneven = torch.cat([image.expand(2, -1, -1, -1), torch.full((6, 1, *SIZE), 0.5)])
    assert reading_loss(uneven, image, 4).item() == pytest.approx(0.125 + 0.25)


def test_the_made_secret_is_half_white_and_follows_from_its_bytes():
    image = block_code(bytes(range(32)), SIZE)
    assert image.shape == (1, *SIZE)
    assert (image == 255).float().mean().item() == 0.5
    assert torch.equal(image, block_code(bytes(range(32)), SIZE))
    assert not torch.equal(image, block_code(bytes(32), SIZE))
    cells = image.view(CELLS, 4, CELLS, 4)
    assert torch.equal(cells, cells[:, :1, :, :1].expand_as(cells))
    with pytest.raises(ValueError, match="8x8 cells doesn't divide 30x32 pixels"):
        block_code(bytes(32), (30, 32))


def test_a_secret_of_the_owners_own(tmp_path, image_lab):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:, 16:] = 200
    Image.fromarray(pixels).save(tmp_path / "logo.png")
    own = DeepModel(secret_image=str(tmp_path / "logo.png"))
    key = own.keygen(image_lab.owner(SCHEME), stream("own"))
    assert key.image.tolist() == [pixels.tolist()]
    assert own.admissible(key).bound
    assert not own.admissible(key).hash_bound
    assert not own.admissible(replace(key, image=255 - key.image)).bound
    assert not SCHEME.admissible(key).bound


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.eye(16, dtype=np.uint8), r"logo.png has 16x16 pixels: make it 32x32, the size of the task's images"),
        (np.full((32, 32), 7, np.uint8), r"logo.png is blank"),
    ],
)
def test_a_secret_that_cannot_be_hidden_is_refused_in_one_sentence(tmp_path, pixels, sentence):
    Image.fromarray(pixels).save(tmp_path / "logo.png")
    with pytest.raises(ValueError, match=sentence):
        read_image(tmp_path / "logo.png", SIZE)


def test_a_file_that_is_no_image_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "logo.png").write_text("no image")
    with pytest.raises(BenchError, match=r"logo.png can't be read"):
        read_image(tmp_path / "logo.png", SIZE)


def test_the_content_of_the_file_names_the_result(tmp_path):
    path = tmp_path / "logo.png"
    (setting,) = select_schemes(f"deepmodel(secret_image='{path}')", Registry.discover())
    assert setting.stages[0].declaration.traits["file_parameters"] == ("secret_image",)


def test_keys_of_which_nothing_can_be_read(image_lab, marked):
    for wrong, reason in (
        (replace(marked.key, image=torch.zeros_like(marked.key.image)), "the secret image is blank"),
        (replace(marked.key, extractor=marked.service.net), "the extractor is a deepmodel-service"),
        (replace(marked.key, image=torch.eye(30, dtype=torch.uint8)[None]), "8x8 cells doesn't divide 30x30"),
    ):
        found = SCHEME.admissible(wrong)
        assert (found.well_formed, found.bound) == (False, False)
        assert reason in found.reason
    with pytest.raises(NotApplicable, match="trained for its own secret"):
        SCHEME.redraw(marked.key, stream("redraw"))


def test_without_the_adversarial_stage_only_the_extractor_differs(image_lab, marked):
    plain = image_lab.embed(DeepModel(adversarial=False))
    assert all(
        torch.equal(plain.service.net.state[name], marked.service.net.state[name]) for name in plain.service.net.state
    )
    assert any(
        not torch.equal(plain.key.extractor.state[name], marked.key.extractor.state[name])
        for name in plain.key.extractor.state
    )


def test_an_owner_who_reads_nothing_starts_anew(image_lab, monkeypatch):
    """A first stage after which he reads too little is tried three times, with other nets each time."""
    monkeypatch.setattr("schemes.deepmodel.LEAST_READ", float("inf"))
    scheme = DeepModel(adversarial=False, epochs=1)
    few = image_lab.splits.owner.take(torch.arange(64))
    owner, drawn = Owner(image_lab.context, few, stream("anew"), image_lab.null(100).service.net), []
    key = scheme.keygen(owner, stream("anew"))
    assemble = owner.assemble
    monkeypatch.setattr(owner, "assemble", lambda spec: drawn.append((spec["builder"], assemble(spec))) or drawn[-1][1])
    scheme.embed(owner, key)
    services, extractors, critics = (
        [net for builder, net in drawn if builder == name]
        for name in ("deepmodel-service", "deepmodel-extractor", "patchgan")
    )
    assert (len(services), len(extractors), len(critics)) == (3, 2, 3)  # the first extractor is the key's own
    assert not torch.equal(*(next(one.parameters()) for one in extractors))


def test_a_broken_secret_image_is_one_sentence(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(BenchError, match=r"broken\.png can't be read"):
        read_image(tmp_path / "broken.png", (32, 32))


def test_a_thief_never_gets_the_owner_s_secret_files(tmp_path):
    """What a plan lets a thief know of a scheme leaves out the files that only the owner has."""
    from benchmark.planning.plan_builder import public
    from benchmark.plugins.registry import Registry
    from benchmark.plugins.selection import select_schemes

    (tmp_path / "logo.png").write_bytes(b"x")
    for text in (f"deepmodel(secret_image='{tmp_path}/logo.png')", f"adi(folder='{tmp_path}')"):
        (setting,) = select_schemes(text, Registry.discover())
        told = public(setting.stages[0])
        assert str(tmp_path) not in str(told)
        assert "files" not in told
