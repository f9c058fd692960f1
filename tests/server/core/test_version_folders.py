"""Which names in a base path are versions."""

import pytest

from model_server.core.version_folders import version_folders


@pytest.mark.parametrize(
    ("children", "folders"),
    [
        pytest.param(["17", "42"], {17: "17", 42: "42"}, id="numbers are versions"),
        pytest.param(["non_numerical_child", "1.tmp", "-1", "+1", " 1", ""], {}, id="others not"),
        pytest.param(["00017"], {17: "00017"}, id="leading zeros do not count"),
        pytest.param(["0"], {0: "0"}, id="zero is a version"),
        pytest.param(["000"], {0: "000"}, id="so is zero written long"),
        pytest.param(["20170111173521"], {20170111173521: "20170111173521"}, id="a time stamp"),
        pytest.param(["9223372036854775807"], {2**63 - 1: "9223372036854775807"}, id="the last"),
        pytest.param(["1/", "1/saved_model.pb", "2/variables/x"], {1: "1", 2: "2"}, id="a bucket"),
        pytest.param(["\u0661", "\u00b2"], {}, id="digits of other scripts are no version"),
    ],
)
def test_names_are_read_as_versions(children: list[str], folders: dict[int, str]) -> None:
    assert version_folders(children).folders == folders
    assert version_folders(children).warnings == ()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("9223372036854775808", id="one beyond an int64"),
        pytest.param("1" * 10_000, id="thousands of digits"),
    ],
)
def test_numbers_beyond_an_int64_are_ignored_with_a_warning(name: str) -> None:
    indexed = version_folders(["1", name])

    assert indexed.folders == {1: "1"}
    assert indexed.warnings == (f"Ignoring folder {name}: versions go up to 9223372036854775807",)


def test_001_and_1_are_one_version() -> None:
    indexed = version_folders(["1", "001", "0001"])

    assert indexed.folders == {1: "1"}
    assert indexed.warnings == (
        "Duplicate version directories detected. Version 1 will be loaded from 001, "
        "0001 will be ignored.",
        "Duplicate version directories detected. Version 1 will be loaded from 1, "
        "001 will be ignored.",
    )
