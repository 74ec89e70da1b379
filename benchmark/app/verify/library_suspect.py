"""A suspect whose weights are all that there is of it: put into the net of torchvision or timm that they were saved of.

Its net is read like one of this benchmark, so courts that read weights examine it, too.
"""

from __future__ import annotations

from pathlib import Path

from benchmark.architectures.catalogue import LIBRARIES, read_architecture
from benchmark.architectures.net import Net, build
from benchmark.architectures.weights import put_weights, read_weights
from benchmark.data.tasks import Task
from benchmark.errors import BenchError, message_of
from benchmark.protocol.objects import Service


def names_library_net(name: str) -> bool:
    """Whether `name` is torchvision:NAME or timm:NAME."""
    return name.partition(":")[0] in LIBRARIES and ":" in name


def library_service(name: str, weights: Path, task: Task) -> Service:
    """The net called `name`, with the weights in a file, for images and classes of `task`.

    No code of the file is run, and nothing is fetched. Raises BenchError in one sentence.
    """
    library, arguments = read_architecture(name)
    if task.kind != "classification":
        raise BenchError(f"--suspect {name} classifies, and the nets of {task.name} make images: give a file")
    try:
        model = build({"builder": library, **arguments, "classes": task.classes, "size": task.shape[1]})
    except ImportError as error:
        raise BenchError(f"--suspect {name} needs {library}: pip install 'watermark-bench[{library}]'") from error
    except Exception as error:  # a library's constructor fails in any way
        why = message_of(error, 160)
        raise BenchError(f"--suspect {name} can't be built for {task.name} ({why})") from error
    if put_weights(model, read_weights(weights), task.classes):
        raise BenchError(
            f"--weights {weights} have a head of other classes than the {task.classes} of {task.name}: a court can't "
            "ask it"
        )
    return Service(Net.of(model))
