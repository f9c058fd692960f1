"""The flags of model-server that say on which platform the model runs and how it is batched."""

from model_operator.domain.wish.batching import Batching

# The platform that is off by itself, because it runs code of the model's folder. Whoever may name
# it in a ModelDeployment may also choose the image, and so run any code in the pod.
_OPTED_IN = "python"


def platform_flags(platform: str | None) -> list[str]:
    if platform is None:
        return []
    opt_in = [f"--servable_platforms={platform}"] if platform == _OPTED_IN else []
    return [f"--model_platform={platform}", *opt_in]


def batching_flags(batching: Batching | None) -> list[str]:
    """Without any parameter model-server has defaults of its own, so none is passed."""
    if batching is None:
        return []
    given = {
        "max_batch_size": batching.max_size,
        "batch_timeout_micros": batching.timeout_micros,
        "max_enqueued_batches": batching.max_enqueued,
        "num_batch_threads": batching.threads,
    }
    # Text format of tensorflow.serving.BatchingParameters, whose numbers are wrapped.
    parts = [f"{name} {{ value: {value} }}" for name, value in given.items() if value is not None]
    parts += [f"allowed_batch_sizes: {size}" for size in batching.allowed_sizes]
    return ["--enable_batching", *([f"--batching_parameters={' '.join(parts)}"] if parts else [])]
