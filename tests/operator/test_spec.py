"""A spec is read into typed values, or refused with the field and what to do."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.wish.model import Model, Scheme, Source
from model_operator.domain.wish.spec import Serving, parse
from simulated_world import model_deployment


def test_the_smallest_manifest_is_enough():
    deployment = parse(model_deployment())

    assert deployment.model == Model("ranker", Source(Scheme.PVC, "models", "ranker"), 1)
    assert deployment.serving == Serving(None, (), (), {})
    assert deployment.replicas == 1
    assert not deployment.suspend


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        pytest.param("pvc://models", Source(Scheme.PVC, "models", ""), id="a whole claim"),
        pytest.param("pvc://models/", Source(Scheme.PVC, "models", ""), id="a slash at the end"),
        pytest.param("pvc://m.1/a/b", Source(Scheme.PVC, "m.1", "a/b"), id="a path in a claim"),
        pytest.param("file:///srv/m", Source(Scheme.FILE, "", "srv/m"), id="a folder of the node"),
    ],
)
def test_uris_that_name_a_place(uri, source):
    deployment = parse(model_deployment(model={"uri": uri}), allows_node_paths=True)

    assert deployment.model.source == source


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("models/ranker", id="no scheme"),
        pytest.param("ftp://models/ranker", id="a scheme that is not known"),
        pytest.param("pvc:///ranker", id="no claim"),
        pytest.param("pvc://Models/ranker", id="a claim in capitals"),
        pytest.param("pvc://models/../secrets", id="a way out of the folder"),
        pytest.param("pvc://models/$(HOME)", id="a variable"),
        pytest.param("file://srv/m", id="a relative path"),
        pytest.param("file:///", id="the root of the node"),
        pytest.param(7, id="a number"),
    ],
)
def test_uris_that_do_not(uri):
    with pytest.raises(InvalidSpec, match=r"^spec\.model\.uri: "):
        parse(model_deployment(model={"uri": uri}), allows_node_paths=True)


def test_what_the_api_server_would_drop_is_not_asked_for():
    variable = {"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}
    empty = {
        "name": "A",
        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}},
        "value": "",
    }
    resources = {"limits": {}, "requests": {"cpu": 1}}

    serving = parse(model_deployment(serving={"env": [empty], "resources": resources})).serving

    assert serving == Serving(None, (), (variable,), {"requests": {"cpu": 1}})


def test_a_folder_of_the_node_needs_the_administrators_consent():
    with pytest.raises(InvalidSpec, match=r"nodePaths\.allowed"):
        parse(model_deployment(model={"uri": "file:///srv/m"}))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"model": {"version": None}}, "spec.model.version", id="no version"),
        pytest.param({"model": {"version": -1}}, "spec.model.version", id="a negative version"),
        pytest.param({"model": {"version": True}}, "spec.model.version", id="a yes for a version"),
        pytest.param({"model": {"name": "a/b"}}, "spec.model.name", id="a name with a slash"),
        pytest.param({"replicas": "two"}, "spec.replicas", id="replicas in words"),
    ],
)
def test_other_fields_that_are_refused_by_name(spec, field):
    with pytest.raises(InvalidSpec, match=f"^{field}: "):
        parse(model_deployment(**spec))


def test_a_name_that_no_service_can_have_is_refused():
    with pytest.raises(InvalidSpec, match=r"^metadata\.name: "):
        parse(model_deployment(name="7-days"))


def test_an_object_without_a_spec_is_refused_and_not_a_crash():
    body = model_deployment()
    del body["spec"]

    with pytest.raises(InvalidSpec, match=r"^spec: is required"):
        parse(body)
