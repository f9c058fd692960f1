"""Whether the Secret that members of groups know each other by must be made."""

from collections.abc import Iterable

from model_operator.domain import names
from model_operator.domain.manifests import Manifest, uid_of
from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.spec import Identity


def needs_token(identity: Identity, observed: Observed, applied: Iterable[Manifest]) -> bool:
    """True before a group is made, and when a member cannot start for want of it.

    The operator may not read Secrets, so only the kubelet's words tell that somebody deleted it.
    """
    missing = f'secret "{names.token_name(identity.name)}" not found'
    is_new = any(item["kind"] == "StatefulSet" and not uid_of(item) for item in applied)
    return is_new or any(pod.trouble and missing in pod.trouble.message for pod in observed.pods)
