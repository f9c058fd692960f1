"""The page about `kubectl modelfleet` tells of the options that there are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
GENERATOR = ROOT / "hack" / "kubectl_reference.py"
PAGE = ROOT / "docs" / "reference" / "kubectl-modelfleet.md"


def test_the_page_is_the_one_made_from_the_command_line():
    made = subprocess.run([sys.executable, GENERATOR], capture_output=True, text=True, check=True)

    assert made.stdout == PAGE.read_text(), "run hack/kubectl_reference.py and write the page anew"
