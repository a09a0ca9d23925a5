"""Every page: its links lead somewhere, and the names of code in it are names of code."""

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links, pages, prose

PAGES = pages()
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_PLACE = re.compile(r"(?:cse|resources|bindings|apps|tests|config|docs)/[\w./-]+")
_DOTTED = re.compile(r"(?:cse|resources|bindings|apps|tests)(?:\.\w+)+")


def spans(page: Path) -> list[str]:
    """Give what stands in backticks."""
    return re.findall(r"`([^`\n]+)`", prose(page))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_local_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        place, _, fragment = target.partition("#")
        if "://" in place:
            continue
        path = (page.parent / place).resolve() if place else page
        assert path.exists(), f"{target} leads nowhere"
        assert path.is_relative_to(ROOT), f"{target} leads out of the project"
        assert not fragment or fragment in anchors(path), f"{target}: {path.name} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_that_are_named_exist(page: Path) -> None:
    for span in spans(page):
        # in the data model of metering config/settings and the like are resources of a meter
        if _PLACE.fullmatch(span) and not (page.parent.name == "metering" and span.startswith("config/")):
            assert (ROOT / span).exists(), f"there is no {span}"


def resolved(name: str) -> object:
    """Give what a dotted name stands for. Raises AttributeError or ModuleNotFoundError."""
    head, *rest = name.split(".")
    found: object = import_module(head)
    for number, each in enumerate(rest, 2):
        if isinstance(found, ModuleType) and not hasattr(found, each):
            found = import_module(".".join(name.split(".")[:number]))
        else:
            found = getattr(found, each)
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_code_that_is_named_exists(page: Path) -> None:
    for span in spans(page):
        # settings of the section [cse] look like names of the package of that name
        if _DOTTED.fullmatch(span) and not span.startswith(("cse.cse_", "cse.admin")):
            resolved(span)


def test_no_page_is_out_of_sight() -> None:
    """Every page is reached from README.md or from a page that is."""
    seen = {ROOT / "README.md"}
    waiting = list(seen)
    while waiting:
        page = waiting.pop()
        for target in links(page):
            path = (page.parent / target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path not in seen:
                seen.add(path)
                waiting.append(path)
    assert {page for page in PAGES if DOCS in page.parents} <= seen


def test_every_module_of_the_service_layer_has_its_floor() -> None:
    table = (DOCS / "architecture.md").read_text("utf-8")
    modules = {path.stem for path in (ROOT / "cse").iterdir() if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"}
    assert [name for name in sorted(modules) if f"`{name}`" not in table] == []
