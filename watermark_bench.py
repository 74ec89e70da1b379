"""The command `bench`, in a module whose name nobody else has. It imports next to nothing before it has seen to it that
`import` finds Python's modules, the packages beside this file and those they need, whatever else is called so.
"""

import os
import sys

PACKAGES = ("benchmark", "schemes", "attacks", "leaderboard")
NEEDED = {  # by the name of a package, the name of its module
    "torch": "torch", "torchvision": "torchvision", "torch-pruning": "torch_pruning", "numpy": "numpy",
    "scipy": "scipy", "pandas": "pandas", "scikit-learn": "sklearn", "safetensors": "safetensors", "pillow": "PIL",
    "click": "click", "rich": "rich", "jinja2": "jinja2", "matplotlib": "matplotlib",
}  # fmt: skip
HOME = os.path.dirname(os.path.realpath(__file__))


def namesakes() -> list[tuple[str, str]]:
    """The folders of the import path with a module called like one of the benchmark's, each with the module's file; so
    with Python's and the needed packages' names, where it isn't a folder of installed packages.
    """
    found = []
    for folder in dict.fromkeys(sys.path):
        there = set(os.listdir(folder or ".")) if os.path.isdir(folder or ".") else set()
        if os.path.realpath(folder) in (HOME, os.path.dirname(os.path.realpath(os.__file__))):
            continue
        installed = any(name.endswith(".dist-info") for name in there)
        for name in PACKAGES if installed else {*PACKAGES, *NEEDED.values(), *sys.stdlib_module_names}:
            for file in {f"{name}.py", name} & there:
                path = os.path.join(folder, file if file.endswith(".py") else os.path.join(file, "__init__.py"))
                if os.path.isfile(path):
                    found.append((folder, path))
    return sorted(found)


def main() -> None:
    """The console script. Folders with namesakes, such as PYTHONPATH's, go to the end of the import path, which the
    processes that run jobs inherit.
    """
    behind = {folder for folder, _ in namesakes()}
    sys.path.sort(key=behind.__contains__)
    from benchmark.cli import main as bench

    bench()
