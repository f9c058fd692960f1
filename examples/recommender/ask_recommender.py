#!/usr/bin/env python3
"""Ask the recommender about random users, and check each answer.

    python examples/recommender/ask_recommender.py --rest http://127.0.0.1:8501 --size 2GB

The rows that an answer needs are computed here again, so the model itself is not needed. The size
is the one that the model was built with.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass

import numpy as np
from recommender_rows import NAME, Tables, scores, size_of, tables_of

_CANDIDATES, _BEST = 10, 5
_TIMEOUT = 10.0
_TOLERANCE = 1e-4  # sums in another order differ by far less


class NoAnswer(Exception):
    """Nothing came, or an error did; the text says which."""


class WrongAnswer(Exception):
    """An answer is not what the rows make; the text says how."""


@dataclass(frozen=True)
class Question:
    """A user, and the items to choose from."""

    user: int
    candidates: list[int]


def questions(tables: Tables, count: int) -> list[Question]:
    """Random ones, which are the same each time."""
    rng = np.random.default_rng(count)
    return [
        Question(
            int(rng.integers(tables.users.rows)),
            rng.integers(tables.items.rows, size=_CANDIDATES).tolist(),
        )
        for _ in range(count)
    ]


def asked(url: str, question: Question) -> dict[str, list[float]]:
    """The items and scores of the server's answer. Raises NoAnswer."""
    instance = {"user": question.user, "candidates": question.candidates}
    request = urllib.request.Request(
        f"{url.rstrip('/')}/v1/models/{NAME}:predict",
        json.dumps({"instances": [instance]}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            found: dict[str, list[float]] = json.load(response)["predictions"][0]
            return found
    except urllib.error.HTTPError as error:
        raise NoAnswer(f"HTTP {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise NoAnswer(str(error)) from error


def check(tables: Tables, question: Question, answer: dict[str, list[float]]) -> None:
    """Compare an answer with what the rows make. Raises WrongAnswer."""
    of_items = dict(
        zip(question.candidates, scores(tables, question.user, question.candidates), strict=True)
    )
    expected = sorted(of_items.values(), reverse=True)[:_BEST]
    given = [of_items.get(int(item), np.nan) for item in answer["items"]]
    for found in (given, answer["scores"]):
        if not np.allclose(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE):
            raise WrongAnswer(f"user {question.user}: {answer}, but the scores are {of_items}")


def main(arguments: list[str] | None = None) -> None:
    """Ask as the command line says; exits 1 when an answer is wrong or missing."""
    parser = argparse.ArgumentParser(description="Ask the recommender and check its answers.")
    parser.add_argument("--rest", required=True, metavar="URL", help="of any member of the group")
    parser.add_argument("--size", type=size_of, default="2GB", help="that the model was built with")
    parser.add_argument("--requests", type=int, default=20)
    options = parser.parse_args(arguments)
    tables = tables_of(options.size)
    try:
        for question in questions(tables, options.requests):
            answer = asked(options.rest, question)
            check(tables, question, answer)
            print(f"user {question.user:>9,}: {', '.join(f'{i:,}' for i in answer['items'])}")
    except (NoAnswer, WrongAnswer) as error:
        sys.exit(f"{NAME}: {error}")
    print(f"all {options.requests} answers are right")


if __name__ == "__main__":
    main()
