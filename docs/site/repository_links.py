"""Hooks of mkdocs: CONTRIBUTING.md is a page of the site, and what else lies outside of docs/ is named, not linked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGE = "contributing.md"


def on_files(files: Files, config: Any) -> Files:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    inside = re.sub(r"\]\((?!https?://|#|docs/)", "](../", text).replace("](docs/", "](")
    files.append(File.generated(config, PAGE, content=inside))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    return re.sub(r"\[([^]]+)\]\(\.\./([^)#]+)(#[^)]*)?\)", lambda found: _outside(found, page), markdown)


def _outside(found: re.Match[str], page: Any) -> str:
    """A link out of docs/. Raises PluginError, which ends the build, where nothing is there."""
    text, path, anchor = found[1], found[2], found[3] or ""
    if path == "CONTRIBUTING.md":
        return f"[{text}]({PAGE}{anchor})"
    if not (ROOT / path).exists():
        raise PluginError(f"{page.file.src_path} links to {path}, which is not in the repository")
    return text if path in text else f"{text} (`{path}`)"
