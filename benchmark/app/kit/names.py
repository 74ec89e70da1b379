"""The checks of `bench check`, by role and in their order, and what each asks."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.plugins.parameters import PluginRole

BEFORE: Mapping[str, str] = {
    "declaration": "is all that it says of itself read without running it?",
    "imports": "does it import benchmark.contract, and nothing else of the benchmark?",
    "class": "can a fresh process import it, and is it a frozen dataclass with its methods?",
    "import": "does the import leave its process as it was?",
}
CHECKS: Mapping[PluginRole, Mapping[str, str]] = {
    "attack": {
        "runs": "does every setting run on a model, with the images of the quick profile's thief?",
        "result": "is there a claim where its kind is one of claims, and nowhere else?",
        "repeats": "are two runs from one seed equal byte by byte?",
        "access": "is what it declares enough, and not more than it needs?",
        "shared": "are the stolen model, the images and the settings of the process as they were?",
        "rebuilds": "do spec and tensors alone make the same net and filters?",
        "answers": "does it answer the court, one image alike among others, and as before where its kind promises it?",
    },
    "scheme": {
        "keys": "does a stream decide the key, at every setting?",
        "embeds": "is a model marked?",
        "key": "is the key admissible, stored as it is, and no good with another secret?",
        "mark": "is the fresh mark found, by the law that is declared?",
        "innocents": "are unmarked models not accused?",
        "task": "does the marked model do its task?",
        "repeats": "are two owners' models of one seed equal byte by byte?",
        "shared": "are the owner's images and the settings of the process as they were?",
        "rebuilds": "do spec and tensors alone make the same net?",
        "capabilities": "does it have what it says it offers to attacks, and say what it has?",
    },
}
