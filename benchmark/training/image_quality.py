"""How close images are to what they should be: peak signal-to-noise ratio and structural similarity, per image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
C1, C2 = 0.01**2, 0.03**2  # its constants at a data range of 1


def quality(images: Tensor, wanted: Tensor) -> dict[str, list[float]]:
    """`psnr` in dB and `ssim` of each image (N, C, H, W) against the `wanted` one, which lies in [0, 1]."""
    return {"psnr": psnr(images, wanted).tolist(), "ssim": ssim(images, wanted).tolist()}


def psnr(images: Tensor, wanted: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (N,) in dB of images (N, C, H, W) against `wanted`, both in [0, 1]; at most 100."""
    error = (images.clamp(0, 1) - wanted).square().mean((1, 2, 3))
    return -10 * error.clamp(min=1e-10).log10()


def ssim(images: Tensor, wanted: Tensor) -> Tensor:
    """Structural similarity (N,) of images (N, C, H, W) with `wanted`, both in [0, 1]: 1 where they are equal.

    Wang et al. 2004, IEEE TIP 13(4), 600-612: a Gaussian window, where it lies inside the image; colours apart, then
    averaged. Images smaller than the window are seen through one of their own size.
    """
    x, y = (one.to(torch.float64) for one in (images.clamp(0, 1), wanted))
    mean_x, mean_y = _local(x), _local(y)
    variance_x, variance_y = _local(x * x) - mean_x**2, _local(y * y) - mean_y**2
    covariance = _local(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return (likeness / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))).mean((1, 2, 3))


def _local(images: Tensor) -> Tensor:
    """Gaussian means of each channel apart, (N, C, H - 10, W - 10)."""
    single = images.flatten(0, 1)[:, None]
    for dim in (2, 3):
        size = min(WINDOW, images.shape[dim])
        place = torch.arange(size, dtype=images.dtype, device=images.device) - (size - 1) / 2
        weight = torch.softmax(-(place**2) / (2 * SIGMA**2), 0)
        single = F.conv2d(single, weight.view(1, 1, size, 1) if dim == 2 else weight.view(1, 1, 1, size))
    return single.view(*images.shape[:2], *single.shape[2:])
