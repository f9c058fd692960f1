"""From the accelerator that a user asks for to what its pods ask of nodes."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.placement.accelerator import parse_accelerator
from model_operator.domain.placement.tpu import slices
from model_operator.domain.wish.revision import user_input
from model_operator.domain.wish.spec import parse
from model_operator.render.pod import pod_template
from simulated_world import IMAGE, model_deployment

GPU = "nvidia.com/gpu"
DISCOVERED = "nvidia.com/gpu.product"
GKE = "cloud.google.com/gke-accelerator"
KARPENTER = "karpenter.k8s.aws/instance-gpu-name"
AZURE = "node.kubernetes.io/instance-type"


def pod(**spec):
    return pod_template(parse(model_deployment(**spec)), "ranker-1", IMAGE)["spec"]


def server(**spec):
    return pod(**spec)["containers"][0]


def node_terms(**accelerator):
    """The terms as readable lines, each label with its values."""
    spec = pod(accelerator={"resource": GPU} | accelerator)
    if "affinity" not in spec:
        return []
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return [
        {item["key"]: item.get("values", "absent") for item in term["matchExpressions"]}
        for term in required["nodeSelectorTerms"]
    ]


def tpu(type_, topology, **more):
    return {"resource": "google.com/tpu", "tpu": {"type": type_, "topology": topology}} | more


def test_the_container_is_limited_to_its_accelerators():
    resources = {"limits": {"memory": "8Gi"}}

    container = server(accelerator={"resource": GPU, "count": 2}, serving={"resources": resources})

    assert container["resources"] == {"limits": {"memory": "8Gi", GPU: "2"}}


def test_without_a_product_any_node_with_the_resource_will_do():
    assert node_terms() == []
    assert node_terms(resource="nvidia.com/mig-1g.5gb") == []


def test_a_product_becomes_the_label_of_each_vendor():
    terms = node_terms(product="NVIDIA-A100-SXM4-80GB")

    assert terms == [
        {DISCOVERED: ["NVIDIA-A100-SXM4-80GB"]},
        {
            GKE: ["nvidia-a100-80gb"],
            "cloud.google.com/gke-gpu-sharing-strategy": "absent",
            "cloud.google.com/gke-gpu-partition-size": "absent",
        },
        {
            "k8s.amazonaws.com/accelerator": ["NVIDIA-A100-SXM4-80GB", "nvidia-a100-80gb"],
            DISCOVERED: "absent",
        },
        {
            KARPENTER: ["a100"],
            "karpenter.k8s.aws/instance-gpu-memory": ["81920"],
            DISCOVERED: "absent",
        },
        {
            "eks.amazonaws.com/instance-gpu-name": ["a100"],
            "eks.amazonaws.com/instance-gpu-memory": ["81920"],
            DISCOVERED: "absent",
        },
        {AZURE: ["Standard_ND96amsr_A100_v4"], DISCOVERED: "absent"},
    ]


@pytest.mark.parametrize("name", ["NVIDIA-L4", "nvidia-l4", "l4"])
def test_a_product_may_bear_any_vendors_name(name):
    terms = node_terms(product=name)

    assert terms[0] == {DISCOVERED: ["NVIDIA-L4"]}
    assert terms[1][GKE] == ["nvidia-l4"]
    assert terms[3] == {KARPENTER: ["l4"], DISCOVERED: "absent"}


def test_a_vendors_name_for_several_products_stands_for_all_of_them():
    terms = node_terms(product="a100")

    assert terms[0] == {DISCOVERED: ["NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-SXM4-80GB"]}
    assert [
        term["karpenter.k8s.aws/instance-gpu-memory"] for term in terms if KARPENTER in term
    ] == [
        ["40960"],
        ["81920"],
    ]


def test_a_product_that_is_not_known_is_taken_at_its_word():
    terms = node_terms(product="NVIDIA-X9000")

    assert [term[key] for term in terms for key in (DISCOVERED, GKE, KARPENTER) if key in term] == [
        ["NVIDIA-X9000"]
    ] * 3


def test_a_partition_under_the_name_of_the_whole_resource():
    terms = node_terms(product="NVIDIA-A100-SXM4-80GB-MIG-1g.10gb")

    assert terms == [
        {DISCOVERED: ["NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"]},
        {
            GKE: ["nvidia-a100-80gb"],
            "cloud.google.com/gke-gpu-sharing-strategy": "absent",
            "cloud.google.com/gke-gpu-partition-size": ["1g.10gb"],
        },
    ]


def test_a_partition_that_is_a_resource_of_its_own():
    terms = node_terms(resource="nvidia.com/mig-1g.10gb", product="NVIDIA-A100-SXM4-80GB")

    assert terms == [{DISCOVERED: ["NVIDIA-A100-SXM4-80GB"]}]


def test_a_shared_gpu_is_looked_for_among_those_that_are_shared_so():
    terms = node_terms(product="NVIDIA-L4", sharing={"strategy": "TimeSlicing", "clients": 4})

    assert terms == [
        {
            DISCOVERED: ["NVIDIA-L4", "NVIDIA-L4-SHARED"],
            "nvidia.com/gpu.sharing-strategy": ["time-slicing"],
            "nvidia.com/gpu.replicas": ["4"],
        },
        {
            GKE: ["nvidia-l4"],
            "cloud.google.com/gke-gpu-sharing-strategy": ["time-sharing"],
            "cloud.google.com/gke-max-shared-clients-per-gpu": ["4"],
        },
    ]


@pytest.mark.parametrize(
    ("sharing", "args", "flag"),
    [
        pytest.param({"strategy": "TimeSlicing", "clients": 4}, [], ["0.225"], id="a part each"),
        pytest.param({"strategy": "TimeSlicing", "clients": 1}, [], [], id="alone after all"),
        pytest.param({"strategy": "MPS", "clients": 4}, [], [], id="MPS divides it itself"),
        pytest.param(
            {"strategy": "TimeSlicing", "clients": 4},
            ["--per_process_gpu_memory_fraction=0.1"],
            ["0.1"],
            id="the user knows better",
        ),
    ],
)
def test_a_server_on_a_shared_gpu_takes_its_part_of_the_memory(sharing, args, flag):
    accelerator = {"resource": GPU, "sharing": sharing}

    given = server(accelerator=accelerator, serving={"args": args})["args"]

    name = "--per_process_gpu_memory_fraction="
    assert [word.removeprefix(name) for word in given if word.startswith(name)] == flag


@pytest.mark.parametrize(
    ("resource", "keys"),
    [
        (GPU, [GPU, "sku"]),
        ("nvidia.com/mig-1g.5gb", ["nvidia.com/mig-1g.5gb", GPU, "sku"]),
        ("amd.com/gpu", ["amd.com/gpu"]),
        ("aws.amazon.com/neuron", ["aws.amazon.com/neuron"]),
    ],
)
def test_the_taints_of_such_nodes_are_tolerated(resource, keys):
    tolerations = pod(accelerator={"resource": resource})["tolerations"]

    assert [toleration["key"] for toleration in tolerations] == keys


def test_other_vendors_products():
    assert node_terms(resource="amd.com/gpu", product="AMD_Instinct_MI300X_OAM") == [
        {"amd.com/gpu.product-name": ["AMD_Instinct_MI300X_OAM"]},
        {"beta.amd.com/gpu.product-name": ["AMD_Instinct_MI300X_OAM"]},
    ]
    assert node_terms(resource="aws.amazon.com/neuron", product="inferentia2")[0] == {
        "karpenter.k8s.aws/instance-accelerator-name": ["inferentia2"]
    }


def test_a_tpu_slice_of_one_host():
    spec = pod(
        accelerator=tpu("tpu-v5-lite-podslice", "2x4"),
        serving={"env": [{"name": "TPU_WORKER_ID", "value": "7"}]},
    )

    container = spec["containers"][0]
    assert container["resources"] == {"limits": {"google.com/tpu": "8"}}
    assert container["env"] == [
        {"name": "TPU_WORKER_HOSTNAMES", "value": "localhost"},
        {"name": "TPU_TOPOLOGY", "value": "2x4"},
        {"name": "TPU_WORKER_ID", "value": "7"},
    ]
    assert node_terms(**tpu("tpu-v5-lite-podslice", "2x4")) == [
        {
            "cloud.google.com/gke-tpu-accelerator": ["tpu-v5-lite-podslice"],
            "cloud.google.com/gke-tpu-topology": ["2x4"],
        }
    ]


@pytest.mark.parametrize(
    ("type_", "topology", "hosts_and_chips"),
    [
        ("tpu-v5-lite-podslice", "1x1", [(1, 1)]),
        ("tpu-v5-lite-podslice", "2x2", [(1, 4)]),
        ("tpu-v5-lite-podslice", "2x4", [(1, 8), (2, 4)]),
        ("tpu-v5-lite-device", "2x4", [(1, 8)]),
        ("tpu-v6e-slice", "4x4", [(4, 4)]),
        ("tpu-v6e-slice", "4x8", [(8, 4)]),
        ("tpu-v6e-slice", "8x8", [(16, 4)]),
        ("tpu-v6e-slice", "8x16", [(32, 4)]),
        ("tpu-v6e-slice", "16x16", [(64, 4)]),
        ("tpu-v6e-slice", "2x2x1", []),
        ("tpu-v4-podslice", "2x2x1", [(1, 4)]),
        ("tpu-v5p-slice", "2x2x2", [(2, 4)]),
        ("tpu-v5p-slice", "2x2x4", [(4, 4)]),
        ("tpu-v5p-slice", "2x4x4", [(8, 4)]),
        ("tpu-v5p-slice", "4x4x4", [(16, 4)]),
        ("tpu-v5p-slice", "4x4x8", [(32, 4)]),
        ("tpu-v5p-slice", "8x4x4", []),
        ("tpu-v5p-slice", "4x4x6", []),
        ("tpu-v5p-slice", "four", []),
        ("tpu7x", "1x1x1", [(1, 1)]),
    ],
)
def test_hosts_and_chips_follow_from_the_topology(type_, topology, hosts_and_chips):
    found = [(item.hosts, item.chips_per_host) for item in slices(type_, topology)]

    assert found == hosts_and_chips


@pytest.mark.parametrize(
    ("accelerator", "problem"),
    [
        pytest.param({}, r"resource: name an extended", id="no resource"),
        pytest.param({"resource": "cpu"}, r"resource: name an extended", id="a CPU"),
        pytest.param({"resource": "x.kubernetes.io/y"}, r"resource: name an", id="Kubernetes' own"),
        pytest.param({"resource": GPU, "count": 0}, r"count: must be a whole number", id="none"),
        pytest.param({"resource": GPU, "product": "a b"}, r"product: 'a b' cannot", id="no label"),
        pytest.param({"resource": "x.io/y", "product": "z"}, r"product: no node label", id="where"),
        pytest.param(
            {"resource": GPU, "count": 2, "sharing": {"strategy": "MPS", "clients": 2}},
            r"sharing: is for one",
            id="two shared GPUs",
        ),
        pytest.param(
            {"resource": GPU, "sharing": {"clients": 2}}, r"sharing\.strategy: use", id="how"
        ),
        pytest.param({"resource": "google.com/tpu"}, r"tpu: goes with google\.com/tpu", id="slice"),
        pytest.param(tpu("tpu-v9", "2x2"), r"tpu\.type: 'tpu-v9' is not known", id="type"),
        pytest.param(
            tpu("tpu7x", "2x2"), r"tpu\.topology: tpu7x has no slices of 2x2", id="topology"
        ),
        pytest.param(tpu("tpu-v6e-slice", "2x2", count=2), r"count: a host .* has 4", id="count"),
        pytest.param(
            tpu("tpu-v6e-slice", "4x4"),
            r"tpu\.topology: 4x4 spans 4 hosts.*1x1, 2x2, 2x4",
            id="hosts",
        ),
        pytest.param(
            tpu("tpu-v6e-slice", "2x4", count=4),
            r"tpu\.topology: 2x4 spans 2 hosts",
            id="two hosts",
        ),
    ],
)
def test_wishes_that_are_refused_by_the_fields_name(accelerator, problem):
    with pytest.raises(InvalidSpec, match=rf"^spec\.accelerator\.{problem}"):
        parse_accelerator(accelerator)


def test_the_resource_is_said_once():
    twice = {"resources": {"requests": {GPU: "1"}}}

    with pytest.raises(InvalidSpec, match=r"^spec\.serving\.resources\.requests: nvidia\.com/gpu"):
        parse(model_deployment(accelerator={"resource": GPU}, serving=twice))


def test_the_same_wish_in_other_words_is_the_same_revision():
    short = user_input(parse(model_deployment(accelerator={"resource": GPU})))
    long = user_input(parse(model_deployment(accelerator={"resource": GPU, "count": 1})))

    assert short == long
    assert short != user_input(parse(model_deployment()))
