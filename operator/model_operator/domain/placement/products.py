"""GPU products under the names that each vendor's nodes bear.

Sources: NVIDIA's GPU feature discovery (label values are the driver's product names), GKE's list of
GPU types, Karpenter's names for EC2 instance types, and Azure's virtual machine sizes.
"""

from dataclasses import dataclass

_PARTITION = "-MIG-"


@dataclass(frozen=True)
class Product:
    """A GPU and its names. `memory` (MiB) tells apart what Karpenter calls the same."""

    discovered: tuple[str, ...]
    gke: tuple[str, ...] = ()
    karpenter: str = ""
    memory: int | None = None
    azure: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset({*self.discovered, *self.gke, self.karpenter}) - {""}


@dataclass(frozen=True)
class Asked:
    """A product as the user names it: a whole GPU, or a partition (MIG profile) of one."""

    name: str
    partition: str


_PRODUCTS = (
    Product(
        ("Tesla-T4",),
        ("nvidia-tesla-t4",),
        "t4",
        azure=tuple(f"Standard_NC{size}as_T4_v3" for size in (4, 8, 16, 64)),
    ),
    Product(
        ("Tesla-V100-SXM2-16GB",),
        ("nvidia-tesla-v100",),
        "v100",
        memory=16384,
    ),
    Product(("Tesla-V100-SXM2-32GB",), (), "v100", 32768, ("Standard_ND40rs_v2",)),
    Product(
        ("Tesla-V100-PCIE-16GB",),
        azure=tuple(f"Standard_NC{size}_v3" for size in ("6s", "12s", "24s", "24rs")),
    ),
    Product(
        ("NVIDIA-A10",),
        azure=tuple(f"Standard_NV{size}_A10_v5" for size in ("36ads", "36adms", "72ads")),
    ),
    Product(("NVIDIA-A10G",), (), "a10g"),
    Product(("NVIDIA-L4",), ("nvidia-l4",), "l4"),
    Product(("NVIDIA-L40S",), (), "l40s"),
    Product(
        ("NVIDIA-A100-SXM4-40GB",),
        ("nvidia-tesla-a100",),
        "a100",
        40960,
        ("Standard_ND96asr_v4",),
    ),
    Product(("NVIDIA-A100-PCIE-40GB",)),
    Product(
        ("NVIDIA-A100-SXM4-80GB",),
        ("nvidia-a100-80gb",),
        "a100",
        81920,
        ("Standard_ND96amsr_A100_v4",),
    ),
    Product(
        ("NVIDIA-A100-80GB-PCIe",),
        azure=tuple(f"Standard_NC{size}ads_A100_v4" for size in (24, 48, 96)),
    ),
    Product(
        ("NVIDIA-H100-80GB-HBM3",),
        ("nvidia-h100-80gb", "nvidia-h100-mega-80gb"),
        "h100",
        azure=("Standard_ND96isr_H100_v5",),
    ),
    Product(
        ("NVIDIA-H100-NVL",),
        azure=("Standard_NC40ads_H100_v5", "Standard_NC80adis_H100_v5"),
    ),
    Product(("NVIDIA-H100-PCIe",)),
    Product(("NVIDIA-H200",), ("nvidia-h200-141gb",), "h200", azure=("Standard_ND96isr_H200_v5",)),
    Product(("NVIDIA-B200",), ("nvidia-b200",), "b200"),
    Product(("NVIDIA-GB200",), ("nvidia-gb200",), "gb200"),
)


def asked(name: str) -> Asked:
    """`NVIDIA-A100-SXM4-40GB-MIG-1g.5gb` is a partition, as feature discovery names them."""
    whole, _, partition = name.partition(_PARTITION)
    return Asked(whole, partition)


def known(name: str) -> tuple[Product, ...]:
    """The products with that name, whichever vendor's it is; empty when it is nobody's we know."""
    return tuple(product for product in _PRODUCTS if name in product.names)
