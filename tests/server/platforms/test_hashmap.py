"""The platform ``hashmap`` reads ``key,value`` lines and answers keys of any shape."""

import numpy as np
import pytest

from model_server.core.errors import Code, ServingError
from model_server.servables.hashmap import HashmapPlatform
from model_server.servables.platform import Runtime


@pytest.fixture
def platform():
    return HashmapPlatform(Runtime())


def loaded(platform, folder, content: bytes):
    (folder / "hashmap.csv").write_bytes(content)
    return platform.load("m", 1, str(folder))


def asked(servable, keys, outputs=("values", "found")):
    (signature,) = servable.signatures.values()
    return servable.run(signature, {"keys": np.array(keys, object)}, outputs)


def test_keys_become_values_in_the_shape_of_the_request(platform, tmp_path):
    servable = loaded(platform, tmp_path, b"a,1\nb,2\r\nempty,\n\xff,\xfe\n")

    values, found = asked(servable, [[b"a", b"x"], [b"empty", b"\xff"]])

    assert values.tolist() == [[b"1", b""], [b"", b"\xfe"]]
    assert found.tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize("keys", [b"a", [], [[]], [[[b"a"]]]])
def test_any_rank_will_do(platform, tmp_path, keys):
    (found,) = asked(loaded(platform, tmp_path, b"a,1"), keys, ["found"])

    assert found.shape == np.shape(keys)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,1\nb", "line 2: Unexpected format: expected key,value"),
        (b"a,1,2", "line 1: Unexpected format: expected key,value"),
        (b"a,1\n\nb,2", "line 2: Unexpected format: expected key,value"),
        (b"a,1\na,2", "line 2: the key is there already"),
    ],
)
def test_a_file_of_another_format_is_refused_with_the_line(platform, tmp_path, content, problem):
    with pytest.raises(ServingError) as raised:
        loaded(platform, tmp_path, content)

    assert raised.value.code is Code.INVALID_ARGUMENT
    assert raised.value.message == f"{tmp_path / 'hashmap.csv'}, {problem}"


def test_a_folder_without_the_file_is_refused(platform, tmp_path):
    with pytest.raises(ServingError) as raised:
        platform.load("m", 1, str(tmp_path))

    assert str(raised.value) == f"NOT_FOUND: there is no hashmap.csv in {tmp_path}"
