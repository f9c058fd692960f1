"""Answers of a group: whichever member is asked, they are those of the whole model."""

import os
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from model_server.core.errors import Code, ServingError
from model_server.options.shards import Shards
from model_server.servables.platform import Runtime
from model_server.servables.sharding.cut.cutting import CannotCut
from model_server.servables.sharding.group.groups import Groups
from model_server.servables.sharding.group.loading import Place, load_member, source_of
from server.sharding import models
from server.sharding.groups import Group, grouped
from server.sharding.whole_models import whole_answers

MODELS = {
    "gathers": models.recommender,
    "gathers of gathers": models.chain,
    "weighted sums": models.weighted,
    "ids from a vocabulary": models.words,
    "a matrix on one member": models.dense_beside_table,
    "whatever else": models.odd,
    "Keras": models.keras_embedding,
    "TensorFlow 1": models.tensorflow_1,
    "TensorFlow 1, references": partial(models.tensorflow_1, resource=False),
    "TensorFlow 1, in parts": partial(models.tensorflow_1, parts=2, rows=60_000),
    "TensorFlow 1, parts that are references": partial(
        models.tensorflow_1, parts=2, rows=60_000, resource=False
    ),
}
REQUESTS = {
    "of all members": [1023, 0, 340, 341, 342, 7, 7, 511, 513, 682, 683],
    "of one member": [1, 2, 3],
    "one": [700],
    "none": [],
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS.keys())
def folder(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("model") / "1")


@pytest.mark.parametrize("shards", [2, 3])
def test_every_member_answers_bit_by_bit_as_the_whole_model(folder, shards):
    with grouped(folder, shards) as group:
        check_answers(folder, group)


def check_answers(folder, group):
    spec = group.members[0].signatures["serving_default"].inputs["ids"]
    requests = [np.array(ids, np.int64) for ids in REQUESTS.values()]
    if len(spec.shape) == 2:
        requests = [np.stack([ids] * spec.shape[1], 1) for ids in requests]
    for ids, wanted in zip(requests, whole_answers(folder, requests), strict=True):
        for found in group.answers({"ids": ids}):
            assert found.keys() == wanted.keys()
            for alias, value in wanted.items():
                assert found[alias].dtype == value.dtype
                assert np.array_equal(found[alias], value), alias


@pytest.fixture(scope="module")
def gathering(tmp_path_factory):
    return models.recommender(tmp_path_factory.mktemp("gathering") / "1")


@pytest.fixture
def group(gathering):
    with grouped(gathering, 2) as group:
        yield group


def test_only_members_with_wanted_rows_are_asked_and_each_once(group):
    group.members[0].run(*call(group, [1, 2]))
    assert group.asked == []
    group.members[1].run(*call(group, [1, 2]))
    assert group.asked == [0]
    group.members[1].run(*call(group, [1, 30_000, 2]))
    assert group.asked == [0, 0]


@pytest.mark.parametrize("ids", [[-1], [1, 30_001, 2]])
def test_ids_without_a_row_are_refused_and_named(group, ids):
    with pytest.raises(ServingError, match=r"indices\[\d\] = (-1|30001) is not in \[0, ") as caught:
        group.members[0].run(*call(group, ids))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_signatures_for_members_are_listed_nowhere(group):
    member = group.members[0]
    assert set(member.signatures) == {"serving_default", "__saved_model_init_op"}
    assert member.signature_defs.keys() == set(member.signatures)


def test_an_answer_of_another_shape_is_refused(group):
    answer = {"0": np.zeros((1, 2), np.float32), "1": np.zeros(3, np.float32)}
    liar = replace(group.members[0].entry, members=Members(answer))
    with pytest.raises(ServingError, match="member 0 answered float32 of shape"):
        liar.run(*call(group, [1, 2]))


def test_the_error_of_a_member_is_the_answer(group):
    lost = ServingError(Code.UNAVAILABLE, "member 1 is away")

    with pytest.raises(ServingError) as caught:
        replace(group.members[0].entry, members=Members(lost)).run(*call(group, [1]))
    assert caught.value is lost


class Members:
    """Members that all answer in one way."""

    def __init__(self, answer):
        self.answer = answer

    def ask(self, signature, questions):
        return [self.answer for _ in questions]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (models.conditional, "Gather"),
        (models.random_ids, "RandomUniform"),
        (models.counting, "AssignAddVariableOp .* changes a variable"),
        (models.setting, "AssignVariableOp .* changes a variable"),
    ],
)
def test_what_could_give_a_wrong_answer_is_not_served(tmp_path, model, said):
    with pytest.raises(CannotCut, match=said):
        Group(model(tmp_path / "1"), 2)


def test_members_without_any_part_are_refused(tmp_path):
    with pytest.raises(CannotCut, match="only 1 of 3 members would hold a part of this model"):
        Group(models.dense(tmp_path / "1"), 3)


def test_a_member_reads_its_rows_and_no_others(gathering, tmp_path):
    folder = shutil.copytree(gathering, tmp_path / "1")
    source = source_of(folder, ["serve"])
    users = source.checkpoint.index.tensors["users/.ATTRIBUTES/VARIABLE_VALUE"]
    with source.checkpoint.data(0).open("r+b") as file:
        file.seek(users.offset)
        file.write(b"spoilt, in the rows of member 0")
    config = tf.compat.v1.ConfigProto()
    load_member(source, Place(1, 2, nobody), config).close()


def test_a_data_file_that_is_too_short_is_refused_by_who_misses_it(gathering, tmp_path):
    folder = shutil.copytree(gathering, tmp_path / "1")
    source = source_of(folder, ["serve"])
    users = source.checkpoint.index.tensors["users/.ATTRIBUTES/VARIABLE_VALUE"]
    os.truncate(source.checkpoint.data(0), users.offset + users.size - 4)
    with pytest.raises(OSError, match=r"variables\.data-00000-of-00001: it ends 4 bytes before"):
        load_member(source, Place(1, 2, nobody), tf.compat.v1.ConfigProto())


def test_a_data_file_that_is_not_there_is_told_by_its_name(gathering, tmp_path):
    folder = shutil.copytree(gathering, tmp_path / "ranker" / "1")
    (data,) = folder.glob("variables/*.data-*")
    data.unlink()
    groups = Groups(Runtime(), Shards(("a:1", "b:1"), 0, 1.0))
    with pytest.raises(ServingError, match=data.name) as caught:
        groups.load("ranker", 1, str(folder))
    assert caught.value.code is Code.DATA_LOSS


def test_a_spoilt_copy_is_refused_by_the_first_member_that_reads_it(gathering, tmp_path):
    folder = shutil.copytree(gathering, tmp_path / "ranker" / "1")
    source = source_of(folder, ["serve"])
    dense = source.checkpoint.index.tensors["dense/.ATTRIBUTES/VARIABLE_VALUE"]
    with source.checkpoint.data(0).open("r+b") as file:
        file.seek(dense.offset)
        file.write(b"spoilt")
    groups = Groups(Runtime(), Shards(("a:1", "b:1"), 0, 1.0))
    with pytest.raises(ServingError, match="Checksum") as caught:
        groups.load("ranker", 1, str(folder))
    assert caught.value.code is Code.DATA_LOSS


def nobody(signature, questions):
    return [ServingError(Code.UNAVAILABLE, "nobody is there") for _ in questions]


def call(group, ids):
    signature = group.members[0].signatures["serving_default"]
    return signature, {"ids": np.array(ids, np.int64)}, ["scores"]
