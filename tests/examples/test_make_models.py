"""What the example models compute, how they are laid out, and what a rerun does."""

from __future__ import annotations

import make_models
import numpy as np
import pytest
from digits_dataset import training_and_held_out

from examples.loaded import run


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("1", [2.0, 2.5, 4.5], id="version 1 adds two"),
        pytest.param("2", [2.5, 3.0, 5.0], id="version 2 adds two and a half"),
    ],
)
def test_half_plus_two_tells_its_version_by_its_answers(models, version, expected):
    answer = run(models / "half_plus_two" / version, "serving_default", {"x": [0.0, 1.0, 5.0]})

    assert answer["y"].tolist() == expected


@pytest.mark.parametrize(
    ("signature", "output"), [("regress_x_to_y", "outputs"), ("classify_x_to_y", "scores")]
)
def test_half_plus_two_takes_tensorflow_examples(models, signature, output):
    import tensorflow as tf

    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[4.0]))
    example = tf.train.Example(features=tf.train.Features(feature={"x": feature}))

    answer = run(
        models / "half_plus_two" / "1", signature, {"inputs": [example.SerializeToString()]}
    )

    assert answer[output].tolist() == [[4.0]]


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_half_plus_version_tells_its_version_by_its_answers(models, version):
    base = models / "half_plus_version" / str(version)

    answer = run(base, "serving_default", {"x": [0.0, 1.0, 7.0]})

    assert answer["y"].tolist() == [version, version + 0.5, version + 3.5]


def test_version_4_of_half_plus_version_fails_for_large_numbers(models):
    import tensorflow as tf

    with pytest.raises(tf.errors.DataLossError):
        run(models / "half_plus_version" / "4", "serving_default", {"x": [8.0]})


def test_digits_are_read_right_on_images_the_model_never_saw(models):
    _, held_out = training_and_held_out()

    answer = run(models / "digits" / "1", "serving_default", {"images": held_out.images})

    assert answer["probabilities"].shape == (360, 10)
    np.testing.assert_array_equal(answer["label"], answer["probabilities"].argmax(axis=1))
    assert (answer["label"] == held_out.labels).mean() >= 0.95


def test_no_image_is_both_trained_on_and_held_out():
    training, held_out = training_and_held_out()

    shared = {i.tobytes() for i in training.images} & {i.tobytes() for i in held_out.images}

    assert shared == set()


def test_another_user_can_read_the_models(models):
    unreadable = [p for p in models.rglob("*") if p.stat().st_mode & 0o004 == 0]

    assert unreadable == []


def test_only_finished_versions_are_in_the_folder(models):
    assert sorted(p.name for p in (models / "half_plus_two").iterdir()) == ["1", "2"]


def test_a_version_that_is_there_is_kept(tmp_path, capsys):
    mine = tmp_path / "half_plus_two" / "1"
    mine.mkdir(parents=True)

    make_models.main(["--out", str(tmp_path), "half_plus_two"])

    assert list(mine.iterdir()) == []
    assert "half_plus_two/1: already there, kept" in capsys.readouterr().out
    assert (tmp_path / "half_plus_two" / "2" / "saved_model.pb").is_file()


def test_an_unknown_model_is_named_with_the_known_ones(tmp_path, capsys):
    with pytest.raises(SystemExit):
        make_models.main(["--out", str(tmp_path), "resnet"])

    assert (
        "unknown model 'resnet'; there are: half_plus_two, half_plus_version, digits"
        in capsys.readouterr().err
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "half_plus_two").write_text("a file in the way")

    with pytest.raises(SystemExit, match=r"cannot write .*half_plus_two/1"):
        make_models.main(["--out", str(tmp_path), "half_plus_two"])
