"""One ModelDeployment and what belongs to it."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from kubectl_modelfleet.cluster.connection import Access
from kubectl_modelfleet.cluster.errors import Failed, Forbidden, NotThere
from kubectl_modelfleet.cluster.requests import Requests
from kubectl_modelfleet.seen.fields import Object, at, items, text
from kubectl_modelfleet.seen.names import DEPLOYMENT_LABEL, GROUP, KIND, PLURAL, VERSION
from kubectl_modelfleet.steering.likeness import near

_API = f"/apis/{GROUP}/{VERSION}"
_NO_CRD = "is modelfleet installed there? its chart brings the CRD; or choose another --context"


class Subject:
    """The ModelDeployment of that name, whether it is there or not."""

    def __init__(self, access: Access, name: str) -> None:
        self._requests = Requests(access)
        self.namespace = access.namespace
        self.name = name

    async def body(self) -> Object:
        """The object as it is now.

        Raises:
            Failed: with a hint, where there is no such object, above all.
        """
        try:
            return await self._requests.read(self._path)
        except NotThere as error:
            raise await self._missing(error) from error
        except Forbidden as error:
            raise self._may_not(error) from error

    async def pods(self) -> tuple[Object, ...] | None:
        """Its pods; None for a user who may not list them."""
        try:
            found = await self._requests.read(self._pods, labelSelector=self._selector)
        except Forbidden:
            return None
        return items(at(found, "items"))

    async def revisions(self) -> tuple[Object, ...]:
        """Its ControllerRevisions.

        Raises:
            Failed: it cannot be asked, or the user may not list them.
        """
        path = f"/apis/apps/v1/namespaces/{quote(self.namespace)}/controllerrevisions"
        try:
            found = await self._requests.read(path, labelSelector=self._selector)
        except Forbidden as error:
            raise self._may_not(error) from error
        return items(at(found, "items"))

    async def annotate(self, **annotations: str) -> Object:
        """Set annotations of the API's group.

        Raises:
            Failed: refused, or it is gone.
        """
        named = {f"{GROUP}/{name}": value for name, value in annotations.items()}
        try:
            return await self._requests.patch(self._path, {"metadata": {"annotations": named}})
        except NotThere as error:
            raise await self._missing(error) from error
        except Forbidden as error:
            raise self._may_not(error) from error

    async def changes(self) -> AsyncIterator[None]:
        """One item for each change of the object, and one for what there is.

        Raises:
            Failed: the watch cannot be had, or broke.
        """
        path = f"{_API}/namespaces/{quote(self.namespace)}/{PLURAL}"
        async for _ in self._requests.events(path, fieldSelector=f"metadata.name={self.name}"):
            yield

    async def changes_of_pods(self) -> AsyncIterator[None]:
        """The same for its pods.

        Raises:
            Failed: the watch cannot be had, or broke.
        """
        async for _ in self._requests.events(self._pods, labelSelector=self._selector):
            yield

    @property
    def _path(self) -> str:
        return f"{_API}/namespaces/{quote(self.namespace)}/{PLURAL}/{quote(self.name, safe='')}"

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{quote(self.namespace)}/pods"

    @property
    def _selector(self) -> str:
        return f"{DEPLOYMENT_LABEL}={self.name}"

    async def _missing(self, error: NotThere) -> NotThere:
        if not error.knows_kind:
            says = f"this API server knows no {KIND} ({GROUP}/{VERSION})"
            return NotThere(says, _NO_CRD, knows_kind=False)
        says = f"there is no {KIND} {self.name} in namespace {self.namespace}"
        return NotThere(says, await self._near())

    async def _near(self) -> str:
        """A hint at names that are alike, here or, where the user may look, elsewhere."""
        try:
            names = await self.names_here()
            if found := near(self.name, names):
                return found
            all_there = await self._names(f"{_API}/{PLURAL}")
        except Failed:
            return ""
        places = [place for place, name in all_there if name == self.name]
        if places:
            return f"there is one in another namespace: -n {' or -n '.join(places[:3])}"
        return f"there are: {', '.join(names[:10])}" if names else ""

    async def names_here(self) -> list[str]:
        """The ModelDeployments of the namespace.

        Raises:
            Failed: they cannot be listed.
        """
        here = await self._names(f"{_API}/namespaces/{quote(self.namespace)}/{PLURAL}")
        return [name for _, name in here]

    async def _names(self, path: str) -> list[tuple[str, str]]:
        found = items(at(await self._requests.read(path, limit="500"), "items"))
        metadata = [at(item, "metadata") for item in found]
        return [(text(at(item, "namespace")), text(at(item, "name"))) for item in metadata]

    def _may_not(self, error: Forbidden) -> Forbidden:
        roles = "the roles view (to look) and edit (to steer) of the namespace allow it"
        return Forbidden(str(error), f"{roles}, if modelfleet's chart has rbac.aggregate")
