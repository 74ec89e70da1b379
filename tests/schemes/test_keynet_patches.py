"""KeyNet's signatures, and the patches of photographs that carry them."""

import pytest
import torch

from benchmark.contract import photographs
from benchmark.protocol.parties import stream
from schemes.keynet import KeyNet, judge_patches, owner_patches, pasted, signature

from .keynet_court import SCHEME

SECRET = bytes(range(32))


@pytest.fixture
def key(lab):
    return SCHEME.keygen(lab.owner(SCHEME), stream("test-keynet"))


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
