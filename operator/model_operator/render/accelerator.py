"""What a pod needs to get an accelerator: resources, labels of nodes, tolerations, flags."""

from collections.abc import Iterable, Sequence

from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.accelerator import Accelerator, Sharing, Strategy
from model_operator.domain.placement.products import Asked, Product, asked, known
from model_operator.domain.placement.tpu import Slice

_NVIDIA, _GKE = "nvidia.com/gpu", "cloud.google.com/gke"
_DISCOVERED = "nvidia.com/gpu.product"
_GKE_GPU = f"{_GKE}-accelerator"
_EC2 = ("karpenter.k8s.aws", "eks.amazonaws.com")
# On pods of a StatefulSet, since Kubernetes 1.28.
_NUMBER_LABEL = "apps.kubernetes.io/pod-index"
_FRACTION_FLAG = "--per_process_gpu_memory_fraction"
# Of a GPU's memory, what its clients may divide; the rest is for the driver's own, in each process.
_DIVISIBLE = 0.9


def limits(accelerator: Accelerator) -> Manifest:
    return {accelerator.resource: str(accelerator.count)}


def tolerations(accelerator: Accelerator) -> list[Manifest]:
    """Those for the taints that keep other pods from such nodes: by resource, and AKS' own."""
    found = [_toleration(accelerator.resource)]
    if accelerator.resource.startswith("nvidia.com/"):
        if accelerator.resource != _NVIDIA:
            found.append(_toleration(_NVIDIA))
        found.append({"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"})
    return found


def flags(accelerator: Accelerator, given: Iterable[str]) -> list[str]:
    """Flags of model-server that follow, unless the user gives them."""
    sharing = accelerator.sharing
    # MPS itself gives each of its clients an equal part of the memory.
    if sharing is None or sharing.strategy is Strategy.MPS or sharing.clients == 1:
        return []
    if any(flag.lstrip("-").startswith(_FRACTION_FLAG.lstrip("-")) for flag in given):
        return []
    return [f"{_FRACTION_FLAG}={_DIVISIBLE / sharing.clients:.3f}"]


def environment(accelerator: Accelerator) -> list[Manifest]:
    """Variables by which libtpu knows its slice: here one of this host alone."""
    if accelerator.tpu is None or accelerator.tpu.hosts > 1:
        return []
    return _slice_variables(accelerator.tpu, {"value": "0"}, ["localhost"])


def member_environment(tpu: Slice, hosts: Sequence[str]) -> list[Manifest]:
    """The same for a member of a group that is one slice; `hosts` are all members by number."""
    number = {"valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{_NUMBER_LABEL}']"}}}
    return _slice_variables(tpu, number, hosts)


def _slice_variables(tpu: Slice, worker: Manifest, hosts: Sequence[str]) -> list[Manifest]:
    return [
        {"name": "TPU_WORKER_ID"} | worker,
        {"name": "TPU_WORKER_HOSTNAMES", "value": ",".join(hosts)},
        {"name": "TPU_TOPOLOGY", "value": tpu.topology},
    ]


def node_terms(accelerator: Accelerator) -> list[Manifest]:
    """Terms for the required node affinity, one for each vendor's labels; any is enough."""
    if accelerator.tpu:
        return [_tpu_term(accelerator.tpu)]
    if accelerator.resource.startswith("nvidia.com/"):
        return _nvidia_terms(accelerator)
    if accelerator.product is None:
        return []
    name = [accelerator.product]
    if accelerator.resource.startswith("amd.com/"):
        labels = ["amd.com/gpu.product-name", "beta.amd.com/gpu.product-name"]
    else:
        labels = [f"{domain}/instance-accelerator-name" for domain in _EC2]
    return [_term(_among(label, name)) for label in labels]


def _nvidia_terms(accelerator: Accelerator) -> list[Manifest]:
    sharing = accelerator.sharing
    if accelerator.product is None:
        return [] if sharing is None else [_shared_discovered(sharing), _shared_gke(sharing)]
    wish = asked(accelerator.product)
    products = known(wish.name)
    discovered = _discovered_names(wish, products)
    gke = sorted({name for product in products for name in product.gke}) or [wish.name]
    if sharing:
        names = sorted({*discovered, *(f"{name}-SHARED" for name in discovered)})
        by_discovery = _term(_among(_DISCOVERED, names), _shared_discovered(sharing))
        return [by_discovery, _term(_among(_GKE_GPU, gke), _shared_gke(sharing))]
    terms = [_term(_among(_DISCOVERED, discovered))]
    if accelerator.resource != _NVIDIA:
        return terms  # Only feature discovery runs where partitions have resources of their own.
    unshared = _absent(f"{_GKE}-gpu-sharing-strategy")
    terms += [_term(_among(_GKE_GPU, gke), unshared, _gke_partition(wish))]
    if wish.partition:
        return terms  # Only these two say how a GPU is partitioned.
    return terms + [_term(*labels, *_undiscovered(products)) for labels in _others(wish, products)]


def _undiscovered(products: tuple[Product, ...]) -> list[Manifest]:
    """Where feature discovery runs it decides: it knows of partitions and shares, others do not.

    Of a product that is not known here its name there is not known either.
    """
    return [_absent(_DISCOVERED)] if products else []


def _others(wish: Asked, products: tuple[Product, ...]) -> list[list[Manifest]]:
    """Labels of the other vendors: cluster-autoscaler's on AWS, Karpenter's and EKS', Azure's."""
    gke = {name for product in products for name in product.gke}
    azure = sorted({size for product in products for size in product.azure})
    return [
        [_among("k8s.amazonaws.com/accelerator", sorted({*gke, wish.name}))],
        *_ec2_labels(wish, products),
        *([[_among("node.kubernetes.io/instance-type", azure)]] if azure else []),
    ]


def _discovered_names(wish: Asked, products: Iterable[Product]) -> list[str]:
    """Feature discovery's names: the very one if it was given, else all of the product."""
    suffix = f"-MIG-{wish.partition}" if wish.partition else ""
    names = {name for product in products for name in product.discovered}
    if not names or wish.name in names:
        names = {wish.name}
    return sorted(f"{name}{suffix}" for name in names)


def _ec2_labels(wish: Asked, products: tuple[Product, ...]) -> list[list[Manifest]]:
    named = [product for product in products if product.karpenter]
    if products and not named:
        return []
    terms = []
    for product in named or (Product((), karpenter=wish.name),):
        for domain in _EC2:
            name = _among(f"{domain}/instance-gpu-name", [product.karpenter])
            memory = _among(f"{domain}/instance-gpu-memory", [str(product.memory)])
            terms.append([name, memory] if product.memory else [name])
    return terms


def _tpu_term(tpu: Slice) -> Manifest:
    return _term(
        _among(f"{_GKE}-tpu-accelerator", [tpu.type]),
        _among(f"{_GKE}-tpu-topology", [tpu.topology]),
    )


def _shared_discovered(sharing: Sharing) -> Manifest:
    strategy = "mps" if sharing.strategy is Strategy.MPS else "time-slicing"
    return _term(
        _among("nvidia.com/gpu.sharing-strategy", [strategy]),
        _among("nvidia.com/gpu.replicas", [str(sharing.clients)]),
    )


def _shared_gke(sharing: Sharing) -> Manifest:
    strategy = "mps" if sharing.strategy is Strategy.MPS else "time-sharing"
    return _term(
        _among(f"{_GKE}-gpu-sharing-strategy", [strategy]),
        _among(f"{_GKE}-max-shared-clients-per-gpu", [str(sharing.clients)]),
    )


def _gke_partition(wish: Asked) -> Manifest:
    label = f"{_GKE}-gpu-partition-size"
    return _among(label, [wish.partition]) if wish.partition else _absent(label)


def _term(*parts: Manifest) -> Manifest:
    """One term of expressions, and of those of other terms, which must all hold."""
    expressions: list[Manifest] = []
    for part in parts:
        expressions += part.get("matchExpressions", [part])
    return {"matchExpressions": expressions}


def _among(label: str, values: list[str]) -> Manifest:
    return {"key": label, "operator": "In", "values": values}


def _absent(label: str) -> Manifest:
    return {"key": label, "operator": "DoesNotExist"}


def _toleration(key: str) -> Manifest:
    return {"key": key, "operator": "Exists", "effect": "NoSchedule"}
