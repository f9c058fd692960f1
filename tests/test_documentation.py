"""The pages lead where they say: to files that are there, and to each other."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)\s]*)\)")
NAMED = re.compile(
    r"`((?:benchmarks|charts|contracts|docs|examples|hack|images|operator|server|tests)/[\w./-]+)`"
)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
PAGES = sorted(
    page
    for place in ("*.md", "docs/**/*.md", "hack/**/*.md", "examples/**/*.md", "charts/**/*.md")
    for page in ROOT.glob(place)
)


def links(page: Path) -> list[str]:
    return LINK.findall(FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, dashes for spaces, and no other signs."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_to_a_file(page):
    missing = [link for link in links(page) if not (page.parent / link.partition("#")[0]).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_the_repository_that_a_page_names_is_there(page):
    missing = [name for name in NAMED.findall(page.read_text()) if not (ROOT / name).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_names_a_heading_of_it(page):
    into = [link.split("#") for link in links(page) if "#" in link]

    missing = [
        f"{path}#{anchor}"
        for path, anchor in into
        if anchor not in anchors(page.parent / path if path else page)
    ]

    assert missing == []


def test_every_page_of_the_documentation_is_listed_in_its_readme():
    listed = {(DOCS / link).resolve() for link in links(DOCS / "README.md")}

    assert set(DOCS.rglob("*.md")) - {DOCS / "README.md"} <= listed


def test_the_readme_leads_to_the_list_of_all_pages():
    assert "docs/README.md" in links(ROOT / "README.md")
