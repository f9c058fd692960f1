"""Manifests in the documentation are ones that the API server accepts."""

import re
from pathlib import Path

import pytest
import yaml

from simulated_world import manifest

pytestmark = pytest.mark.api

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(beginning):
    return [
        pytest.param(text, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, text in enumerate(BLOCK.findall(page.read_text()))
        if text.startswith(beginning)
    ]


@pytest.mark.parametrize("text", blocks("apiVersion: modelfleet.dev/"))
def test_a_whole_manifest_is_accepted(api_server, text):
    api_server.apply(*yaml.safe_load_all(text))


@pytest.mark.parametrize("text", blocks("spec:"))
def test_a_part_of_a_spec_is_accepted_in_a_manifest(api_server, text):
    api_server.apply(manifest(**yaml.safe_load(text)["spec"]))


@pytest.mark.parametrize("text", blocks("  accelerator:"))
def test_a_part_about_accelerators_is_accepted_in_a_manifest(api_server, text):
    api_server.apply(manifest(**yaml.safe_load(f"spec:\n{text}")["spec"]))
