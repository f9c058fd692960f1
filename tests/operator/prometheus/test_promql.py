"""What a user leaves open in a query is filled in with names, and nothing else gets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.evidence.promql import Subject, filled_in, require_known

RANKER = Subject("shop", "ranker", "ranker-84b2d", "ranker-5f7c9")


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ('x{revision="${revision}"}', 'x{revision="ranker-84b2d"}'),
        ('x{a="${stable}",b="${namespace}/${name}"}', 'x{a="ranker-5f7c9",b="shop/ranker"}'),
        (
            'label_replace(x, "a", "${1}-$2", "b", "(.*)")',
            'label_replace(x, "a", "${1}-$2", "b", "(.*)")',
        ),
        ('x{a=~".+$"}', 'x{a=~".+$"}'),
        ("up", "up"),
    ],
)
def test_names_are_filled_in_where_they_are_left_open(query, asked):
    require_known("query", query)

    assert filled_in(query, RANKER) == asked


@pytest.mark.parametrize("query", ["${version}", "${}", "${ revision }", "${revision}${Stable}"])
def test_what_nobody_can_fill_in_is_refused(query):
    with pytest.raises(InvalidSpec, match=r"is not one of \$\{revision\}, "):
        require_known("spec.rollout.analysis.prometheus[0].query", query)


NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63)


@given(st.text() | NAME)
def test_no_name_gets_out_of_its_string(name):
    subject = Subject("shop", "ranker", name, "ranker-5f7c9")

    try:
        asked = filled_in('x{a="${revision}",b=~"${revision}"}', subject)
    except ValueError:
        return
    assert asked == f'x{{a="{name}",b=~"{name}"}}'
    assert not set(name) & set('"\\\n{}$.*+?()[]|^')


def test_a_name_that_looks_like_something_left_open_is_refused():
    with pytest.raises(ValueError, match="no name of Kubernetes"):
        filled_in("${revision}", Subject("shop", "ranker", "${stable}", "x"))
