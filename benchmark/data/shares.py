"""What is said of the user's own images, since nobody wrote it down: whose they are, and what one may not expect."""

from __future__ import annotations

import hashlib
from collections import Counter

from benchmark.data import class_folders, own_images
from benchmark.data.array_files import mapped
from benchmark.data.prepared import arrays, forms, say
from benchmark.data.tasks import Task

PARTIES = {"owner": "the owner", "thief": "the thief", "test": "the judge"}


def say_shares(task: Task) -> None:
    """Whose the images are, and which files are none."""
    apart = len(task.files) > (1 if task.kind == "classification" else 2)
    whose = (
        f"{task.owner} are the owner's, {task.thief} the thief's, {task.validation} no job's, {task.test} the judge's"
    )
    say(f"task {task.name}: {whose}" + ("" if apart else ", a fifth of all, since there is no folder val"))
    others: Counter[str] = Counter()
    for folder in task.paths():
        others += class_folders.other_files(folder)
    if others:
        endings = own_images.few([f"{count} {ending or 'without ending'}" for ending, count in others.most_common()])
        say(f"task {task.name}: {others.total()} files are not read as pictures, by their endings: {endings}")


def say_surprises(task: Task) -> None:
    """Images that two parties have, and classes of which a party has none, as the prepared splits show them."""
    names = list(class_folders.classes(task.paths()[0])) if task.classes else []
    seen: set[bytes] = set()
    for role, party in PARTIES.items():
        x, y = map(mapped, arrays(task, role), forms(task, role))
        digests = [hashlib.sha256(image).digest() for image in x]
        if twins := sum(digest in seen for digest in digests):
            say(
                f"task {task.name}: {twins} of {party}'s {len(x)} images are another party's too, pixel for pixel: "
                "remove the copies"
            )
        seen.update(digests)
        if names and (none := {*range(len(names))} - {*y.tolist()}):
            say(f"task {task.name}: {party} has no image of {own_images.few([names[one] for one in sorted(none)])}")
