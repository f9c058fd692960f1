"""``model-server shard-plan``: which member of a group would hold what of a model."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Runs the command with what follows its name; the exit code."""
    options = _parser().parse_args(arguments)
    # It would announce itself on stderr; nothing is computed here.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # Imports TensorFlow, for which a wrong argument need not wait.
    from model_server.servables.sharding.plan.plan_page import plan_page, plan_values
    from model_server.servables.sharding.plan.plan_picture import plan_picture
    from model_server.servables.sharding.plan.planning import CannotPlan, plan_of

    try:
        plan = plan_of(options.path, options.shards)
        if options.svg:
            options.svg.write_text(plan_picture(plan))
    except (CannotPlan, OSError) as error:
        print(f"model-server shard-plan: {error}", file=sys.stderr)
        return 1
    print(json.dumps(plan_values(plan), indent=1) if options.json else plan_page(plan))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="model-server shard-plan",
        description="Show which member of a group would hold what of a model's variables. "
        "Only the graph and the index of the checkpoint are read.",
    )
    parser.add_argument("path", type=Path, help="a version folder, the one with saved_model.pb")
    parser.add_argument("--shards", type=int, required=True, help="members of the group")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw it, too")
    parser.add_argument("--json", action="store_true", help="for programs instead of people")
    return parser
