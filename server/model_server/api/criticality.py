"""How much a request matters to who sent it: the header, and gRPC metadata, ``criticality``.

The words are those of TensorFlow's ``tsl/platform/criticality.h``.
"""

HEADER = "criticality"
_SHEDDABLE = frozenset({"sheddable", "sheddable_plus"})


def may_be_shed(criticality: str | bytes | None) -> bool:
    """Whether a request says that it may wait for others: any other word, or none, is critical."""
    return criticality is not None and _word(criticality) in _SHEDDABLE


def _word(criticality: str | bytes) -> str:
    text = criticality if isinstance(criticality, str) else criticality.decode(errors="replace")
    return text.strip().lower()
