"""JPEG: every query is compressed before the stolen model sees it, or every image that it sends."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from attacks.serving.pixels import placed
from benchmark import contract as wm


@wm.builder("jpeg")
class Compression(nn.Module):
    """Images (N, 1 or 3, H, W) in [0, 1] through an 8-bit JPEG at `quality` (1 to 95) and back."""

    def __init__(self, quality: int) -> None:
        super().__init__()
        self.quality = quality

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        pixels = wm.as_bytes(x).permute(0, 2, 3, 1).cpu().numpy()
        decoded = np.stack([self._through(image) for image in pixels])
        return wm.as_float(torch.from_numpy(decoded).permute(0, 3, 1, 2).contiguous()).to(x.device)

    def _through(self, image: np.ndarray) -> np.ndarray:
        """One image (H, W, 1 or 3) uint8, encoded and decoded."""
        file = BytesIO()
        Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(file, "JPEG", quality=self.quality)
        return np.asarray(Image.open(file)).reshape(image.shape)

    def spec(self) -> wm.Spec:
        return {"builder": "jpeg", "quality": self.quality}


@dataclass(frozen=True)
class Jpeg(wm.Attack):
    """Every query goes through JPEG before the stolen model answers: fine-grained triggers may not get through.

    On image-to-image tasks it is what the service sends that is compressed, for that is where the mark is.
    The input compression of Kallas & Furon 2022 and of the Watermark-Robustness-Toolbox (Lukas et al. 2022). The
    codec is Pillow's (libjpeg): standard tables scaled to `quality`, colour at half resolution, grey as one
    channel. The model is served as it was released, so whoever may answer queries can do this.
    """

    name = "jpeg"
    family = "input-transform"
    kind = "evasion"
    access = "none"
    tasks = ("classification", "image-to-image")
    paper = "Kallas & Furon 2022, WIFS"
    settings = ("quality=50", "quality=75", "quality=25")

    quality: int = wm.parameter(75, "JPEG quality; lower is coarser", low=1, high=95)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        channels = thief.task.shape[0]
        if channels not in (1, 3):
            raise wm.NotApplicable(f"JPEG holds 1 or 3 channels, the images of {thief.task.name} have {channels}")
        return placed(thief, Compression(self.quality))
