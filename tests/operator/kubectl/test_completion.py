"""What is suggested at the end of an unfinished command line."""

import pytest

from kubectl_modelfleet.completion import Asked, main, suggested


def words(found):
    return [line.partition("\t")[0] for line in found]


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("status ", Asked.NAMES),
        ("status ran", Asked.NAMES),
        ("status -n shop ", Asked.NAMES),
        ("status -w ", Asked.NAMES),
        ("rollback ranker --to ", Asked.REVISIONS),
        ("status ranker ", []),
        ("status -n ", []),
        ("status ranker -o ", ["tree", "json", "yaml"]),
        ("unheard-of ", []),
    ],
)
def test_what_may_stand_at_the_end(line, asked):
    assert suggested(line.split(" ")) == asked


def test_commands_are_suggested_with_what_they_do():
    found = suggested([""])

    assert words(found) == ["status", "promote", "abort", "retry", "rollback", "history"]
    assert "abort\tGive all requests back to the stable revision." in found


def test_options_are_those_of_the_command():
    assert "--step" in words(suggested(["promote", "ranker", "--"]))
    assert "--step" not in words(suggested(["abort", "ranker", "--"]))


def test_only_what_begins_as_typed_is_printed_and_no_files_are_asked_for(capsys):
    assert main(["r"]) == 0

    assert words(capsys.readouterr().out.splitlines()) == ["retry", "rollback", ":4"]


def test_without_a_cluster_nothing_is_suggested_and_nothing_breaks(capsys):
    assert main(["status", "--kubeconfig", "/none", ""]) == 0

    assert capsys.readouterr().out == ":4\n"
