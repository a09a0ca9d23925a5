"""The documentation as files: fenced blocks as a reader would copy them, links and headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, what stands behind the language, and its text."""

    language: str
    name: str
    text: str


def pages() -> list[Path]:
    """Give every page that people read."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path, *languages: str) -> list[Block]:
    """Give the fenced blocks of a page in some languages, or all."""
    found = []
    for match in _FENCE.finditer(page.read_text("utf-8")):
        language, _, name = match["info"].strip().partition(" ")
        if not languages or language in languages:
            found.append(Block(language, name, match["text"]))
    return found


def prose(page: Path) -> str:
    """Give a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> Iterator[str]:
    """Give the targets of the links of a page."""
    return (match["target"] for match in _LINK.finditer(prose(page)))


def anchors(page: Path) -> set[str]:
    """Give the fragments that the headings of a page make."""
    return {re.sub(r"[^\w\- ]", "", match["text"].lower()).replace(" ", "-") for match in _HEADING.finditer(prose(page))}


def program(page: Path, name: str) -> ModuleType:
    """Run the Python blocks of a page that bear this file name, as one module, and give it."""
    text = "".join(block.text for block in blocks(page, "python") if block.name == name)
    assert text, f"{page.name} has no block of python {name}"
    made = ModuleType(Path(name).stem)
    exec(compile(text, f"{page.name}:{name}", "exec"), made.__dict__)
    return made
