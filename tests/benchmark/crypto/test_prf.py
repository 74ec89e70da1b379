import hashlib
import hmac

import pytest
import torch
from scipy import stats

from benchmark.crypto.prf import prf_bits, prf_bytes, prf_labels, prf_normals

SECRET = bytes(range(32))


def block(message, index):
    return hmac.new(SECRET, message + index.to_bytes(8, "big"), hashlib.sha256).digest()


def counts(labels, classes):
    return torch.bincount(labels, minlength=classes).numpy()


def test_stream_is_hmac_sha256_in_counter_mode():
    stream = block(b"m", 0) + block(b"m", 1) + block(b"m", 2)
    assert prf_bytes(SECRET, b"m", 80) == stream[:80]
    assert prf_bytes(SECRET, b"m", 40, start=1) == stream[32:72]
    assert prf_bytes(SECRET, b"m", 0) == b""
    assert prf_bytes(SECRET, b"", 4).hex() == "9f0cd9b9"


def test_known_labels_and_bits():
    """Fixed answers: a change here makes every stored key inadmissible."""
    assert prf_labels(SECRET, b"m", 12, 10).tolist() == [4, 9, 1, 8, 9, 2, 0, 3, 5, 9, 6, 1]
    assert prf_labels(SECRET, b"m", 6, 1000).tolist() == [223, 964, 126, 243, 569, 317]
    assert "".join(str(int(bit)) for bit in prf_bits(SECRET, b"m", 20)) == "10111000011101110110"


def test_labels_are_the_accepted_bytes_in_order():
    stream = b"".join(block(b"m", index) for index in range(40))
    expected = [byte % 10 for byte in stream if byte < 250]
    assert len(expected) < len(stream)  # some bytes were passed over
    assert prf_labels(SECRET, b"m", 1000, 10).tolist() == expected[:1000]


def test_labels_above_256_classes_read_16_bit_words():
    stream = b"".join(block(b"m", index) for index in range(4))
    words = [int.from_bytes(stream[i : i + 2], "big") for i in range(0, len(stream), 2)]
    assert prf_labels(SECRET, b"m", 20, 1000).tolist() == [word % 1000 for word in words if word < 65000][:20]


@pytest.mark.parametrize("classes", [2, 3, 10, 100, 256, 1000])
def test_labels_are_uniform(classes):
    observed = counts(prf_labels(SECRET, b"uniform", 300_000, classes), classes)
    assert len(observed) == classes
    assert stats.chisquare(observed).pvalue > 1e-3


def test_the_naive_map_is_biased_and_this_one_is_not():
    stream = torch.frombuffer(bytearray(prf_bytes(SECRET, b"bias", 300_000)), dtype=torch.uint8)
    assert stats.chisquare(counts(stream.long() % 10, 10)).pvalue < 1e-6
    assert stats.chisquare(counts(prf_labels(SECRET, b"bias", 300_000, 10), 10)).pvalue > 1e-3


def test_secret_and_message_change_every_draw():
    one = prf_labels(SECRET, b"m", 2000, 10)
    for other in (prf_labels(SECRET, b"n", 2000, 10), prf_labels(SECRET[::-1], b"m", 2000, 10)):
        assert 140 < int((one == other).sum()) < 260  # one in ten, 4.5 standard deviations


def test_a_shorter_draw_is_the_start_of_a_longer_one():
    assert torch.equal(prf_labels(SECRET, b"m", 7, 10), prf_labels(SECRET, b"m", 500, 10)[:7])
    assert torch.equal(prf_bits(SECRET, b"m", 7), prf_bits(SECRET, b"m", 500)[:7])


def test_bits_are_fair_and_independent():
    bits = prf_bits(SECRET, b"bits", 200_000)
    assert bits.dtype == torch.bool
    pairs = bits.view(-1, 2).long() @ torch.tensor([2, 1])
    assert stats.chisquare(counts(pairs, 4)).pvalue > 1e-3


def test_label_types_and_limits():
    labels = prf_labels(SECRET, b"m", 5, 10)
    assert labels.dtype == torch.int64
    assert prf_labels(SECRET, b"m", 0, 10).shape == (0,)
    assert prf_labels(SECRET, b"m", 3, 1).tolist() == [0, 0, 0]
    assert len(prf_labels(SECRET, b"m", 3, 65536)) == 3
    for classes in (0, 65537):
        with pytest.raises(ValueError, match="1 to 65536"):
            prf_labels(SECRET, b"m", 3, classes)


def test_normal_numbers_have_the_normal_law_and_no_infinity():
    drawn = prf_normals(bytes(32), b"normal", 200_000)
    assert drawn.dtype == torch.float32
    assert stats.kstest(drawn.numpy(), "norm").pvalue > 1e-3
    assert 4 < float(drawn.abs().max()) < 4.33
    assert torch.equal(drawn[:100], prf_normals(bytes(32), b"normal", 100))
    assert abs(float(torch.corrcoef(torch.stack([drawn, prf_normals(bytes(32), b"other", 200_000)]))[0, 1])) < 0.01
