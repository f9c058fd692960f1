"""What to do about the router of one namespace; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from model_operator.domain.manifests import Manifest, ObjectKey, key_of
from model_operator.plan.differences import covers
from model_operator.render.router import router_objects
from model_operator.settings import RouterSettings


@dataclass(frozen=True)
class RouterPlan:
    """Manifests to apply, in order, and objects to delete, in order."""

    apply: tuple[Manifest, ...]
    delete: tuple[ObjectKey, ...]


def plan_router(
    namespace: str,
    settings: RouterSettings | None,
    is_needed: bool,
    observed: Mapping[ObjectKey, Manifest],
) -> RouterPlan:
    """A router where one is needed, and none elsewhere.

    Args:
        namespace: where the router is, or should be.
        settings: what all routers have in common; None where they are switched off. One that is
            needed all the same is left as it is.
        is_needed: whether the namespace holds a ModelDeployment or, where routers are switched off,
            a Service that still leads to the router.
        observed: the objects of its router that there are.
    """
    if settings is None and is_needed:
        return RouterPlan((), ())
    desired = router_objects(namespace, settings) if settings and is_needed else []
    wanted = {key_of(manifest): manifest for manifest in desired}
    # What a binding refers to cannot be changed: it is made anew when its end has been seen.
    fixed = [key for key, found in observed.items() if _is_fixed(found, wanted.get(key))]
    return RouterPlan(
        apply=tuple(
            manifest
            for key, manifest in wanted.items()
            if key not in fixed and not covers(observed.get(key), manifest)
        ),
        # The pods first: without their rights they could not even follow what changes.
        delete=(*sorted(observed.keys() - wanted.keys()), *fixed),
    )


def _is_fixed(found: Manifest, wanted: Manifest | None) -> bool:
    return wanted is not None and not covers(found.get("roleRef"), wanted.get("roleRef"))
