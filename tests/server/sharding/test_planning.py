"""Plans of real SavedModels, by Python and by the command."""

import json
import shutil
from xml.etree import ElementTree

import pytest

from model_server.commands.shard_plan import main
from model_server.servables.sharding.checkpoint.checkpoint_index import StoredTensor, index_bytes
from model_server.servables.sharding.plan.planning import CannotPlan, plan_of
from model_server.servables.sharding.plan.shard_plan import Copied, Engine, Split, Whole
from server.sharding import models


def placements(plan):
    return {each.variable.name: type(each) for each in plan.placed}


def test_tables_are_split_and_the_small_rest_is_copied(tmp_path):
    plan = plan_of(models.recommender(tmp_path / "1"), 3)
    assert placements(plan) == {"users": Split, "items": Split, "dense": Copied}
    assert plan.engine is Engine.CUT
    assert plan.bytes == 4 * (40_000 * 64 + 30_001 * 16 + 80 * 4)


def test_a_table_that_a_branch_gathers_from_needs_the_engine_of_tensorflow(tmp_path):
    plan = plan_of(models.conditional(tmp_path / "1"), 2)
    assert placements(plan) == {"table": Split}
    assert plan.engine is Engine.TF
    assert "Gather" in plan.forces


def test_tables_that_a_loop_gathers_from_are_split_for_the_engine_of_tensorflow(tmp_path):
    plan = plan_of(models.looping(tmp_path / "1"), 2)
    assert placements(plan) == {"table": Split, "others": Split, "scale": Copied}
    assert plan.engine is Engine.TF


def test_a_matrix_that_is_multiplied_lies_whole_and_the_plan_names_the_operation(tmp_path):
    plan = plan_of(models.dense(tmp_path / "1"), 2)
    (whole,) = plan.placed
    assert isinstance(whole, Whole)
    assert "MatMul" in whole.reason


@pytest.mark.parametrize("resource", [True, False])
@pytest.mark.parametrize("parts", [1, 2])
def test_tables_of_tensorflow_1_are_split_too(tmp_path, parts, resource):
    folder = models.tensorflow_1(tmp_path / "1", parts, resource)
    plan = plan_of(folder, 2)
    found = placements(plan)
    assert found.pop("scale") is Copied
    assert set(found.values()) == {Split if parts == 1 else Copied}
    assert len(found) == parts
    assert plan.bytes == 4 * (20_000 * 16 + 16)


def test_a_terabyte_is_planned_by_its_index_alone(tmp_path, capsys):
    folder = models.recommender(tmp_path / "1", users=50, items=50)
    index = folder / "variables" / "variables.index"
    keys = {"users/.ATTRIBUTES/VARIABLE_VALUE": 64, "items/.ATTRIBUTES/VARIABLE_VALUE": 16}
    rows = 15_000_000_000 // 4
    large = [
        StoredTensor(key, 1, (rows, width), 0, 0, rows * width * 4, 0)
        for key, width in keys.items()
    ]
    small = [StoredTensor("dense/.ATTRIBUTES/VARIABLE_VALUE", 1, (80, 4), 0, 0, 1280, 0)]
    index.write_bytes(index_bytes(1, [*large, *small]))
    assert main([str(folder), "--shards", "40"]) == 0
    page = capsys.readouterr().out
    assert "1.2 TB of variables for 40 members" in page
    assert page.count("30 GB") == 40


def test_the_command_tells_programs_the_same(tmp_path, capsys):
    folder = models.recommender(tmp_path / "1")
    assert main([str(folder), "--shards", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    plan = plan_of(folder, 2)
    assert said["hash"] == plan.hash
    assert said["bytesOnMembers"] == [plan.bytes_on(0), plan.bytes_on(1)]


def test_the_command_draws_each_member_and_what_it_holds(tmp_path):
    folder, picture = models.recommender(tmp_path / "1"), tmp_path / "plan.svg"
    assert main([str(folder), "--shards", "3", "--svg", str(picture)]) == 0
    drawn = ElementTree.parse(picture).getroot()
    said = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert said[0] == "12.2 MB of variables on 3 members, engine cut"
    assert [each for each in said if each.startswith("member")] == [
        "member 0",
        "member 1",
        "member 2",
    ]
    assert said[-3:] == [
        "users, split, 10.2 MB",
        "items, split, 1.92 MB",
        "dense, copied, 1.28 kB",
    ]
    bars = list(drawn.iter("{http://www.w3.org/2000/svg}rect"))
    assert len(bars) == 3 * 3 + 3


def test_a_picture_that_cannot_be_written_is_named(tmp_path, capsys):
    folder, missing = models.recommender(tmp_path / "1"), tmp_path / "no" / "plan.svg"
    assert main([str(folder), "--shards", "2", "--svg", str(missing)]) == 1
    assert f"No such file or directory: '{missing}'" in capsys.readouterr().err


def test_the_command_says_which_engine_a_model_needs_and_how_groups_get_it(tmp_path, capsys):
    main([str(models.conditional(tmp_path / "1")), "--shards", "2"])
    page = capsys.readouterr().out
    assert "engine: tf, because" in page
    assert "groups refuse this model unless they may use that engine, by --shard_tf_ports" in page


def test_a_model_with_nothing_to_split_is_told_so(tmp_path, capsys):
    main([str(models.dense(tmp_path / "1")), "--shards", "2"])
    assert "nothing of this model can be split" in capsys.readouterr().out


def spoil_index(folder):
    (folder / "variables" / "variables.index").write_bytes(b"none")


def remove_index(folder):
    (folder / "variables" / "variables.index").unlink()


def replace_index(folder):
    (folder / "variables" / "variables.index").write_bytes(index_bytes(1, []))


def remove_graph(folder):
    (folder / "saved_model.pb").unlink()


def spoil_graph(folder):
    (folder / "saved_model.pb").write_bytes(b"\xff\xff")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return models.recommender(tmp_path_factory.mktemp("model") / "1")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_index, "variables.index: its end does not say"),
        (remove_index, "variables.index"),
        (replace_index, "the checkpoint has no "),
        (remove_graph, "saved_model.pb"),
        (spoil_graph, "parse"),
        (shutil.rmtree, "saved_model.pb"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_its_fault(sound, tmp_path, capsys, spoil, said):
    folder = shutil.copytree(sound, tmp_path / "1")
    spoil(folder)
    with pytest.raises(CannotPlan, match=said):
        plan_of(folder, 2)
    assert main([str(folder), "--shards", "2"]) == 1
    assert said in capsys.readouterr().err
