"""Published data sets as torchvision lays them out under the data root: their files, checksums and archives. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmark import files


@dataclass(frozen=True)
class DataSet:
    """What is read, and what torchvision's class of that name downloads.

    `files` and `archives` give paths below the data root with their MD5. `images` are folders with one subfolder of
    images per class, for training and for the judge; of pairs, inputs and targets in turn. A set without `torchvision`
    is the user's own.
    """

    torchvision: str = ""
    url: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    archives: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    left_out: str = ""  # a subfolder that is no class

    def file(self, root: Path, name: str) -> Path:
        """Where one of `files` lies: as it is read, or else in an archive of its own."""
        packed = root / f"{name}.gz"
        return packed if f"{name}.gz" in self.archives and packed.is_file() > (root / name).is_file() else root / name

    def missing(self, root: Path) -> Iterator[Path]:
        """What is not in `root`."""
        yield from (path for name in self.files if not (path := self.file(root, name)).is_file())
        yield from (root / name for name in self.images if not (root / name).is_dir())


IMAGE_SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
LARGEST = 1 << 28  # bytes of a file of a published data set, unpacked: none is read beyond that


def content(path: Path) -> bytes:
    """The bytes of a published file, out of its own archive where it is packed. Raises OSError where it is damaged."""
    try:
        return files.content(path, LARGEST)
    except ValueError as error:
        raise OSError(str(error)) from error


def md5_of(path: Path) -> str:
    """The checksum by which authors publish their files: it finds damage, not forgery."""
    with files.regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _idx(name: str, url: str, unpacked: str, packed: str) -> DataSet:
    """MD5 of the four files in the order of `_IDX`: as they are read, and as they are published."""
    files = {f"{name}/raw/{part}": md5 for part, md5 in zip(_IDX, unpacked.split(), strict=True)}
    archives = {f"{name}/raw/{part}.gz": md5 for part, md5 in zip(_IDX, packed.split(), strict=True)}
    return DataSet(name, url, files, archives)


_TORONTO = "https://www.cs.toronto.edu/~kriz/"

# checksums: torchvision's, but it has none of unpacked IDX files: those of Fashion-MNIST were taken from archives with
# the right checksum, those of MNIST are as others publish them, beside the checksums of the very archives named here
DATA_SETS = {
    "mnist": _idx(
        "MNIST",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "6bbc9ace898e44ae57da46a324031adb a25bea736e30d166cdddb491f175f624 "
        "2646ac647ad5339dbf082846283269ea 27ae3e4e09519cfbb04c329615203637",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873 d53e105ee54ea40749a09fcbcd1e9432 "
        "9fb629c4189551a2d022fa330f9573f3 ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion-mnist": _idx(
        "FashionMNIST",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "f4a8712d7a061bf5bd6d2ca38dc4d50a 9018921c3c673c538a1fc5bad174d6f9 "
        "8181f5470baa50b63fa0f6fddb340f0a 15d484375f8d13e6eb1aabb0c3f46965",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d 25c81989df183df01b3e8a0aad5dffbe "
        "bef4ecab320f06d8554ea6380940ec79 bb300cfdad3c16e7a12a480ee83cd310",
    ),
    "cifar10": DataSet(
        "CIFAR10",
        _TORONTO,
        {
            "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
            "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
            "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
            "cifar-10-batches-py/batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
        {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
    ),
    "cifar100": DataSet(
        "CIFAR100",
        _TORONTO,
        {
            "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
            "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
        },
        {"cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85"},
    ),
    "stl10": DataSet(
        "STL10",
        "http://ai.stanford.edu/~acoates/stl10/",
        {
            "stl10_binary/train_X.bin": "918c2871b30a85fa023e0c44e0bee87f",
            "stl10_binary/train_y.bin": "5a34089d4802c674881badbb80307741",
            "stl10_binary/test_X.bin": "7f263ba9f9e0b06b93213547f721ac82",
            "stl10_binary/test_y.bin": "36f9794fa4beb8a2c72628de14fa638e",
        },
        {"stl10_binary.tar.gz": "91f7769df0f17e558f3565bffb0c7dfb"},
    ),
    "caltech101": DataSet(
        "Caltech101",
        "https://data.caltech.edu/records/mzrjq-6wc02/files/",
        archives={"caltech101/caltech-101.zip": "3138e1922a9193bfa496528edbbc45d0"},
        images=("caltech101/101_ObjectCategories",),
        left_out="BACKGROUND_Google",
    ),
}
