"""The sets of attacks that `--attacks` knows by a name of their own: what is in them, and why.

This is the one place to add a member: its text as one would type it, every parameter that matters written out, and the
reason. docs/auto.md says how members of `auto` are chosen, and when its version grows.
"""

from __future__ import annotations

from collections.abc import Mapping

AUTO_VERSION = 3

STANDARD: Mapping[str, str] = {
    "none": "control: the release untouched",
    "scratch": "control: the best that a thief trains from his own images alone",
    "finetune(mode=ftll)": "Adi et al. 2018: the last layer",
    "finetune(mode=ftal)": "Adi et al. 2018: all layers",
    "finetune(mode=rtal)": "Adi et al. 2018: a new last layer, all layers",
    "finetune(lr=0.05,epochs=30,schedule=step)": "Gan et al. 2023 (APP): a high rate that is halved",
    "prune(amount=0.9)+finetune(lr=0.05,epochs=20,schedule=cosine)": "Han et al. 2015: pruned, then retrained",
    "prune-structured(amount=0.25)+finetune(lr=0.05,epochs=20,schedule=cosine)": "Li et al. 2017: filters, retrained",
    "fst": "Min et al. 2023: a new last layer, pushed away from the old one",
    "ft-sam": "Zhu et al. 2023: fine-tuned for weights that stand being moved",
    "l2-shock": "Lukas et al. 2022 (WRT): all weights shrunk, then trained on",
    "dehydrate": "Lu et al. 2024: images drawn out of the net, and unlearnt",
    "wrk": "a small step toward another class on a few images, relearnt with a new last layer",
    "quantize(bits=4)": "Nagel et al. 2021: rounded weights",
    "quantize(bits=4)+finetune(epochs=1)": "Lukas et al. 2022 (WRT): rounded weights, retrained for an epoch",
    "transfer": "Adi et al. 2018: another task, the old head put back",
    "overwrite": "Fan et al. 2019: the scheme's own mark, of the thief",
    "rearrange": "Yan et al. 2022: invariant neuron transforms",
    "dummy-neurons": "Yan et al. 2023: channels added, no answer changes",
    "jpeg(quality=50)": "Lukas et al. 2022 (WRT): compressed queries",
    "average": "the mean of what a service adds to images, taken off again",
    "transfer+jpeg(quality=75)": "Lukas et al. 2022 (WRT), combined: transfer, then an input filter",
    "extract": "Tramèr et al. 2016: retraining on the service's labels",
    "distill": "Hinton et al. 2015: retraining on its probabilities",
    "extract+prune(amount=0.9)+finetune(lr=0.05,epochs=20,schedule=cosine)": "a surrogate, then removal",
    "surrogate(augment=true)": "Zhang et al. 2021: a surrogate of an image-to-image net",
    "overwrite-images": "Chen et al. 2023: the same, marked over",
    "fresh-key": "a claim with a key of the thief's own",
    "forged-triggers": "a claim with triggers made for the net",
}

AUTO: Mapping[str, str] = {
    "finetune(lr=0.2,epochs=20,schedule=cosine,data=bought)": "trained on at a high rate, on all labels he can buy",
    "finetune(lr=0.2,epochs=20,data=bought)": "at a rate that stays high: more of mark and use goes",
    "prune(amount=0.9)+finetune(lr=0.05,epochs=20,schedule=cosine,data=bought)": "few weights are left to hold a mark",
    "prune-structured(amount=0.25)+finetune(lr=0.05,epochs=20,schedule=cosine,data=bought)": "no layer keeps its shape",
    "transfer+finetune(lr=0.05,epochs=20,schedule=cosine,data=bought)": "to another task and back",
    "ft-sam": "to weights that stand being moved, where a mark is not",
    "l2-shock": "all weights shrunk at once, then trained on",
    "dehydrate": "what the net holds to be its classes is drawn out of it, and unlearnt",
    "overwrite": "a second mark by the same code takes the place of the first",
    "rearrange": "no answer changes, and no weight stays where or as it was",
    "dummy-neurons": "no answer changes, and channels are added until a court finds no weight where it was",
    "jpeg(quality=50)": "at query time: what is finer than the task is lost on the way in",
    "autoencoder": "at query time: only what his own images look like comes through",
    "reject": "at query time: strange images are answered as if they were others",
    "average": "what an image-to-image service adds to every image is taken off again",
    "distill(architecture=house)": "a new net learns the answers of the stolen one",
    "surrogate(augment=true)": "the same for nets from image to image, turned and mirrored",
    "overwrite-images": "a surrogate that is marked once more",
}

PRESETS: dict[str, Mapping[str, str]] = {"standard": STANDARD, "auto": AUTO}
