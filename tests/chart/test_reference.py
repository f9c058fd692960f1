"""The page about ModelDeployment tells of the fields that there are."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "hack" / "crd_reference.py"
CRD = ROOT / "crds" / "modelfleet.dev_modeldeployments.yaml"
PAGE = ROOT / "docs" / "reference" / "modeldeployment.md"


def test_the_page_is_the_one_made_from_the_crd():
    made = subprocess.run([sys.executable, GENERATOR], capture_output=True, text=True, check=True)

    assert made.stdout == PAGE.read_text(), "run hack/crd_reference.py and write the page anew"


def test_every_field_of_the_spec_has_a_row():
    [version] = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields = {f"spec.{part}" for part in spec}
    fields |= {
        f"spec.{part}.{field}" for part in spec for field in spec[part].get("properties", ())
    }

    rows = {line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")}

    assert fields <= rows
