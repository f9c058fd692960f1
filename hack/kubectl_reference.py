#!/usr/bin/env python3
"""Write the reference of `kubectl modelfleet` from its command line.

    hack/kubectl_reference.py > docs/reference/kubectl-modelfleet.md

A test compares the two, so that the page cannot tell of other options than there are.
"""

import argparse
import sys

from kubectl_modelfleet.command_line import PROGRAM, Parser, commands_of, parser

_HEAD = """\
<!-- Made from the command line by hack/kubectl_reference.py; change the help texts there. -->
# kubectl modelfleet

A plugin of kubectl that shows and steers the rollouts of ModelDeployments. Install it with
`pip install 'modelfleet[kubectl]'`, so that `kubectl-modelfleet` is on the `PATH`; it is also a
command of its own. It needs the rights of the chart's view and edit roles:
[watch and steer a rollout](../how-to/watch-and-steer-a-rollout.md) tells more.

"""
_EXITS = """
## Exit codes

| code | meaning |
|---|---|
| 0 | done: shown, ordered, or with `--wait` come about |
| 1 | an error, or an order that would do nothing; stderr says why and what to do |
| 2 | with `--wait`: not there when `--timeout` is over; a pause that nobody ends looks so, too |
| 3 | with `--wait`: stalled, which will not get there by itself, or overtaken by another |
| 130 | interrupted |

## Output

On a terminal, `status` has colours, and `-w` redraws in place. In a pipe or a CI log it is plain
text, a whole tree for each change, with lines that are never broken. `--wait` without `-w` prints a
line for each change of what is waited for. `-o json` and `-o yaml` print a document with `name`,
`namespace`, `outcome` (`done`, `under way` or `stalled`), `message`, the `status` as the operator
has written it, and `pods` (null for a user who may not list pods); with `--wait`, once, at the end.

## Completion

`kubectl_complete-modelfleet` comes with the plugin: where kubectl's own completion is set up,
commands, options, ModelDeployments and, after `--to`, revisions are completed.

## Orders

`promote`, `abort`, `retry` and `rollback` set the annotation of that name, which
[names a revision](../explanation/rollouts.md#orders-by-annotation). An order that was dealt with
before gets a number after a slash, so that it works again. Right after an edit the command waits up
to ten seconds for the operator to see that. Nothing else is written.
"""


def page() -> str:
    """The whole page, in Markdown."""
    commands = commands_of(parser())
    listed = [f"| [`{name}`](#{name}) | {found.description} |" for name, found in commands.items()]
    parts = [_HEAD, "| command | |\n|---|---|\n" + "\n".join(listed) + "\n"]
    parts += [_section(name, found) for name, found in commands.items()]
    return "".join([*parts, _EXITS])


def _section(name: str, found: Parser) -> str:
    rows = [_row(action) for action in found._actions if not isinstance(action, _Help)]
    table = "| option | meaning |\n|---|---|\n" + "\n".join(rows)
    return f"\n## {name}\n\n{found.description} `{PROGRAM} {name} NAME`\n\n{table}\n"


_Help = argparse._HelpAction


def _row(action: argparse.Action) -> str:
    shown = ", ".join(f"`{option}`" for option in action.option_strings) or f"`{action.metavar}`"
    if action.nargs != 0 and action.option_strings:
        value = action.metavar or "|".join(action.choices or [action.dest.upper()])
        shown += " " + str(value).replace("|", " \\| ")
    return f"| {shown} | {action.help} |"


if __name__ == "__main__":
    sys.stdout.write(page())
