#!/usr/bin/env python3
"""Write the reference of ModelDeployment from its CRD.

    hack/crd_reference.py > docs/reference/modeldeployment.md

A test compares the two, so that the page cannot tell of other fields than there are.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CRD = Path(__file__).resolve().parents[1] / "crds" / "modelfleet.dev_modeldeployments.yaml"
Schema = dict[str, Any]

# What is in these is explained in Kubernetes' own reference of pods.
_AS_IN_PODS = frozenset(
    {
        "spec.serving.env[]",
        "spec.serving.resources",
        "spec.scheduling.tolerations[]",
        "spec.scheduling.affinity",
        "spec.scheduling.topologySpreadConstraints[]",
        "status.conditions[]",
    }
)
_HEAD = """\
<!-- Made from the CRD by hack/crd_reference.py; change the descriptions there. -->
# ModelDeployment

`{group}/{version}`, short name `{short}`. Fields that are not here are refused by name. A field
without a default may be absent. A rule's message is what `kubectl apply` says.
"""
_TABLE = """
| Field | Type | Meaning |
|---|---|---|"""


def page(crd: Schema) -> str:
    """The whole page, in Markdown."""
    spec = crd["spec"]
    [version] = [version for version in spec["versions"] if version["storage"]]
    schema = version["schema"]["openAPIV3Schema"]
    names = {"group": spec["group"], "short": ", ".join(spec["names"]["shortNames"])}
    parts = [_HEAD.format(version=version["name"], **names)]
    parts += [_section(part, schema["properties"][part]) for part in ("spec", "status")]
    parts.append(_rules(schema))
    parts.append(_columns(version["additionalPrinterColumns"]))
    return "\n".join(parts)


def _section(name: str, schema: Schema) -> str:
    rows = [_row(path, field, needed) for path, field, needed in _fields(name, schema)]
    return "\n".join([f"## {name}\n\n{schema['description']}", _TABLE, *rows, ""])


def _fields(path: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """Each field below, with its path and whether it must be given, in the order of the schema."""
    if path in _AS_IN_PODS:
        return
    for name, field in (schema.get("properties") or {}).items():
        below = f"{path}.{name}"
        yield below, field, name in schema.get("required", ())
        yield from _fields(below, field)
        if "items" in field:
            yield from _fields(f"{below}[]", field["items"])


def _row(path: str, field: Schema, is_required: bool) -> str:
    said = [field.get("description", "").replace("|", "\\|")]
    if path in _AS_IN_PODS or f"{path}[]" in _AS_IN_PODS:
        said.append("Its fields are those of Kubernetes.")
    if "enum" in field:
        said.append("One of " + ", ".join(f"`{value}`" for value in field["enum"]) + ".")
    if "default" in field:
        said.append(f"Default `{_value(field['default'])}`.")
    said += [f"{word} {field[limit]}." for limit, word in _LIMITS.items() if limit in field]
    if is_required:
        said.append("**Required.**")
    return f"| `{path}` | {_type(field)} | {' '.join(part for part in said if part)} |"


_LIMITS = {
    "minimum": "At least",
    "maximum": "At most",
    "maxLength": "Characters: at most",
    "maxItems": "Items: at most",
}


def _type(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}s"
    if "additionalProperties" in field:
        return "map"
    return str(field.get("type", "quantity"))


def _value(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


def _rules(schema: Schema) -> str:
    lines = [f"- {message}" for message in dict.fromkeys(_messages(schema))]
    return "\n".join(["## Rules\n", *lines, ""])


def _messages(schema: Any) -> Iterator[str]:
    """The messages of all rules, from the outside in."""
    if isinstance(schema, dict):
        for rule in schema.get("x-kubernetes-validations", ()):
            yield rule["message"]
    below = schema.values() if isinstance(schema, dict) else schema
    if isinstance(schema, dict | list):
        for part in below:
            yield from _messages(part)


def _columns(columns: list[Schema]) -> str:
    rows = [
        f"| {column['name']} | {'`-o wide`' if column.get('priority') else 'always'} "
        f"| `{column['jsonPath']}` |".replace("|@", "\\|@")
        for column in columns
    ]
    return "\n".join(
        ["## Columns of `kubectl get`\n", "| Column | Shown | From |\n|---|---|---|", *rows, ""]
    )


if __name__ == "__main__":
    sys.stdout.write(page(yaml.safe_load(CRD.read_text())))
