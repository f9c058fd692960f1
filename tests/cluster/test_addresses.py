"""Every node has an address and pods of its own; every cluster has names of its own."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from testcluster.addresses import MOST_NODES, POD_RANGE, Node, nodes, prefix

NUMBERS = st.integers(min_value=1, max_value=MOST_NODES)


@given(first=NUMBERS, second=NUMBERS)
def test_the_pods_of_two_nodes_never_share_an_address(first: int, second: int) -> None:
    ranges = [ip_network(Node("any", number).pod_range) for number in (first, second)]

    assert ranges[0].overlaps(ranges[1]) == (first == second)


@given(number=NUMBERS)
def test_a_node_and_its_pods_are_in_the_clusters_ranges(number: int) -> None:
    node = Node("any", number)

    assert ip_address(node.address) in ip_network("10.199.0.0/24")
    assert ip_network(node.pod_range).subnet_of(ip_network(POD_RANGE))  # type: ignore[arg-type]


def test_nodes_are_numbered_from_one() -> None:
    assert [node.name for node in nodes("any", 2)] == ["node-1", "node-2"]


def test_two_clusters_have_no_namespace_in_common() -> None:
    first = {node.namespace for node in nodes("a", 3)}
    second = {node.namespace for node in nodes("a-node-1", 3)}

    assert not first & second


def test_namespaces_begin_with_the_name_of_the_cgroup() -> None:
    assert Node("mine", 1).namespace == f"{prefix('mine')}-node-1"
