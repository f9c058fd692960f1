"""Small changes of bytes that were right, which reach deeper than bytes at random."""

from hypothesis import strategies as st

# Spread, because small numbers are drawn most, and the beginning of a message is all lengths.
_places = st.integers(0, 2**16).map(lambda number: number * 40503 % 65521)
# One byte for another leaves most of what is told by lengths as it was, and so is parsed.
_gentle = st.tuples(st.just("replace"), _places, st.binary(min_size=1, max_size=1))
_rough = st.tuples(
    st.sampled_from(["replace", "insert", "delete", "repeat", "cut"]),
    _places,
    st.binary(min_size=1, max_size=4),
)


def mutated(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the samples after few gentle changes, or after up to four rough ones."""
    gentle = st.lists(_gentle, min_size=1, max_size=2)
    rough = st.lists(_rough, min_size=1, max_size=4)
    return st.builds(_edited, st.sampled_from(samples), gentle | gentle | gentle | rough)


def _edited(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    for kind, place, new in edits:
        at = place % (len(data) + 1)
        before, after = data[:at], data[at:]
        data = {
            "replace": before + new + after[len(new) :],
            "insert": before + new + after,
            "delete": before + after[len(new) :],
            "repeat": before + after[:8] * 3 + after[8:],
            "cut": before,
        }[kind]
    return data
