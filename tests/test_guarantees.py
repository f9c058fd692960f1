"""The page of guarantees names tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "guarantees.md").read_text()
NAMED = re.findall(r"`(tests/[\w./]+)::(\w+)`", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]


def names_in(path: str) -> set[str]:
    """What pytest would find in a file by its name, test cases of state machines among it."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
    return {name for name in found if name.lower().startswith("test")}


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_that_the_page_names_is_there(path: str) -> None:
    named = {name for where, name in NAMED if where == path}

    assert named - names_in(path) == set()


def test_every_guarantee_has_a_test() -> None:
    without = [row for row in ROWS if "held by" not in row and "::test_" not in row.lower()]

    assert without == []
    assert {row.split("|")[1].strip() for row in ROWS} >= {str(number) for number in range(1, 8)}
