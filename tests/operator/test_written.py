"""Between a write and the watch that shows it, the operator goes by what it wrote."""

import pytest

from model_operator.cluster.cache import Written
from model_operator.domain.manifests import ObjectKey

KEY = ObjectKey("Service", "ranker")


def service(version, uid="s-1"):
    metadata = {"name": "ranker", "uid": uid, "resourceVersion": str(version)}
    return {"kind": "Service", "metadata": metadata}


@pytest.fixture
def written():
    return Written()


def test_a_fresh_child_is_there_before_the_watch_shows_it(written):
    written.remember("u", service(7))

    assert written.current("u", {}) == {KEY: service(7)}


def test_the_newer_of_both_counts(written):
    written.remember("u", service(7))

    assert written.current("u", {KEY: service(6)}) == {KEY: service(7)}
    assert written.current("u", {KEY: service(8)}) == {KEY: service(8)}


def test_resource_versions_are_compared_as_numbers(written):
    written.remember("u", service(10))

    assert written.current("u", {KEY: service(9)}) == {KEY: service(10)}


def test_what_the_watch_has_caught_up_with_is_forgotten(written):
    written.remember("u", service(7))
    written.current("u", {KEY: service(7)})

    assert written.current("u", {}) == {}


def test_a_deleted_child_is_gone_before_the_watch_shows_it(written):
    written.remember_deleted("u", KEY, "s-1")

    assert written.current("u", {KEY: service(9)}) == {}


def test_another_object_of_the_same_name_is_not_the_deleted_one(written):
    written.remember_deleted("u", KEY, "s-1")

    assert written.current("u", {KEY: service(9, uid="s-2")}) == {KEY: service(9, uid="s-2")}


def test_an_end_that_the_watch_shows_ends_the_memory(written):
    written.remember("u", service(7))
    written.forget("u", KEY)

    assert written.current("u", {}) == {}


def test_the_children_of_one_owner_are_not_anothers(written):
    written.remember("u", service(7))

    assert written.current("v", {}) == {}
