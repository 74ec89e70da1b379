"""The two photographs in scikit-learn's package: `china.jpg` and `flower.jpg`, 640x427 pixels, colour."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.data.tasks import package_folder

SHA256 = {  # what is cut from them is part of the results, so other pictures are refused
    "china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    "flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
}


@cache
def photographs(channels: int, times: int = 1) -> Tensor:
    """Both as uint8 (2, 427 times, 640 times, channels): grey for one channel, red, green and blue for three.

    Raises ValueError where a file is missing or another one.
    """
    found = []
    for name, digest in SHA256.items():
        path = package_folder("sklearn") / "datasets" / "images" / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ValueError(f"{path} is missing, or is not the picture of scikit-learn's package: reinstall it")
        with Image.open(path) as picture:
            pixels = picture.convert("L" if channels == 1 else "RGB")
        size = pixels.width * times, pixels.height * times
        found.append(torch.from_numpy(np.array(pixels.resize(size))).view(size[1], size[0], channels))
    return torch.stack(found)
