"""One pass over one ModelDeployment: observe, plan, apply, status."""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus

from model_operator.cluster.cache import Seen, Watched, Written
from model_operator.cluster.client import Cluster
from model_operator.cluster.gates import Gates
from model_operator.cluster.inventory import Inventories
from model_operator.cluster.readiness import Readiness
from model_operator.cluster.routers import Routers, takes_requests
from model_operator.domain import conditions, names
from model_operator.domain.conditions import ConditionType
from model_operator.domain.errors import ApiError, InvalidSpec
from model_operator.domain.evidence.counts import Told
from model_operator.domain.manifests import (
    Manifest,
    ObjectKey,
    is_terminating,
    key_of,
    uid_of,
)
from model_operator.domain.placement.capacity import Inventory
from model_operator.domain.routing.traffic import choose_ports
from model_operator.domain.seen.gangs import Release
from model_operator.domain.seen.observed import Observed, Routing, arm_of
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import (
    Trouble,
    most_telling,
    trouble_of_answer,
    trouble_of_events,
)
from model_operator.domain.seen.workloads import lacks_pods
from model_operator.domain.wish.spec import Identity, ModelDeployment, identify, parse
from model_operator.metrics.operation import Metrics
from model_operator.plan.analysis.stretch import Stretches
from model_operator.plan.groups.gated import Gated
from model_operator.plan.groups.release import releases_of
from model_operator.plan.pace import Pace
from model_operator.plan.plan import Plan, make_plan, plan_for_invalid, plan_for_refused
from model_operator.plan.rollout.queries import questions, require_prometheus
from model_operator.plan.rollout.steps import require_router
from model_operator.prometheus.polling import Polling
from model_operator.render.groups.group import token_secret
from model_operator.settings import Settings

logger = logging.getLogger(__name__)

# The API server's answers to what it will not have; others are no fault of the user's.
_REFUSALS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY}
)


@dataclass(frozen=True)
class Surroundings:
    """What passes work with: the cluster, what is in it, what is remembered and measured."""

    cluster: Cluster
    inventories: Inventories
    readiness: Readiness
    written: Written
    metrics: Metrics
    settings: Settings
    polling: Polling | None = None  # of a Prometheus, if there is one


class Reconciler:
    """Runs passes. It keeps nothing between them that the API server does not have as well."""

    def __init__(self, surroundings: Surroundings, watched: Watched) -> None:
        self._cluster = surroundings.cluster
        self._inventories = surroundings.inventories
        self._readiness = surroundings.readiness
        self._gates = Gates(surroundings.cluster, surroundings.inventories)
        self._routers = Routers(surroundings.readiness)
        self._written = surroundings.written
        self._metrics = surroundings.metrics
        self._settings = surroundings.settings
        self._polling = surroundings.polling
        self._watched = watched
        self._pace = Pace()
        self._stretches = Stretches()

    async def reconcile(self, name: str) -> datetime | None:
        """One pass; the answer is when to look again though nothing happens, None for never.

        Args:
            name: `NAMESPACE/NAME` of a ModelDeployment.

        Raises:
            ApiError: the API server refused something. The pass has ended there, and the next
                begins with observation.
        """
        seen = self._watched(name)
        if seen is None or is_terminating(seen.body):
            self._metrics.forget(name)
            self._pace.forget(name)
            self._stretches.forget(name)
            self._ask_nothing(name)
            return None
        body, observed = await self._observe(seen)
        identity = identify(body)
        plan = await self._plan(body, observed)
        plan = self._pace.in_good_time(name, plan, datetime.now(UTC))
        await self._carry_out(identity, observed, plan)
        status = plan.status or observed.status
        self._metrics.states.note(name, status)
        ready = conditions.find(status, ConditionType.READY)
        self._metrics.note(name, str(ready["reason"]) if ready else "Unknown", plan.phase)
        return plan.again_at

    async def _observe(self, seen: Seen) -> tuple[Manifest, Observed]:
        own_key, uid = key_of(seen.body), uid_of(seen.body)
        current = self._written.current(uid, {**seen.children, own_key: seen.body})
        body = current.pop(own_key)
        namespace = body["metadata"]["namespace"]
        pods = await asyncio.gather(*(self._with_words(namespace, pod) for pod in seen.pods))
        observed = Observed(
            body.get("status") or {},
            current,
            tuple(pods),
            has_router_pods=bool(seen.router_pods),
            group_troubles=await self._group_troubles(namespace, current.values()),
        )
        if self._settings.router is None:
            return body, observed
        return body, replace(observed, routing=await self._routing(seen, observed))

    async def _group_troubles(
        self, namespace: str, children: Iterable[Manifest]
    ) -> dict[str, Trouble]:
        """Why StatefulSets have not all of their pods: only events tell."""
        lacking = [item for item in children if item["kind"] == "StatefulSet" and lacks_pods(item)]
        told = await asyncio.gather(
            *(self._cluster.warnings_about(namespace, uid_of(item)) for item in lacking)
        )
        found = zip(lacking, map(trouble_of_events, told), strict=True)
        return {key_of(item).name: trouble for item, trouble in found if trouble}

    async def _routing(self, seen: Seen, observed: Observed) -> Routing | None:
        name, record = seen.body["metadata"]["name"], observed.record()
        try:
            ports = choose_ports(name, record.ports if record else None, seen.other_ports)
        except ValueError as error:
            logger.error("no router: %s", error, extra={"object": str(identify(seen.body))})
            return None
        pods = tuple(filter(takes_requests, seen.router_pods))
        if record is None:
            return Routing(ports, None, len(pods))
        # Together, so that a router that is silent holds a pass up once.
        weights, told = await asyncio.gather(
            self._routers.programmed(name, pods),
            self._told(identify(seen.body), observed, pods),
        )
        return Routing(ports, weights, len(pods), told)

    async def _told(
        self, identity: Identity, observed: Observed, pods: Sequence[Pod]
    ) -> tuple[Told, ...]:
        """What routers have counted, without what earlier verdicts were made from."""
        if not observed.is_shared:
            return ()
        told = await self._routers.told(identity.name, pods)
        return self._stretches.fresh(str(identity), observed.status, told)

    async def _with_words(self, namespace: str, pod: Pod) -> Pod:
        """The pod with the words of whoever knows most of it."""
        if pod.is_stuck(datetime.now(UTC)):
            events = await self._cluster.warnings_about(namespace, pod.uid)
            return replace(pod, trouble=trouble_of_events(events) or pod.trouble)
        if pod.is_ready or pod.is_terminating or not pod.is_running or not pod.ip:
            return pod
        answer = await self._readiness.ask(pod.ip)
        if answer is None:
            silent = Trouble("Starting", "the server does not answer yet")
            return replace(pod, trouble=pod.trouble or silent)
        said = [trouble for trouble in (trouble_of_answer(answer), pod.trouble) if trouble]
        return replace(pod, trouble=most_telling(said))

    async def _plan(self, body: Manifest, observed: Observed) -> Plan:
        now, identity = datetime.now(UTC), identify(body)
        try:
            deployment = parse(body, self._settings.allows_node_paths)
            require_router(deployment, observed)
            require_prometheus(deployment, self._polling is not None)
        except InvalidSpec as error:
            self._ask_nothing(str(identity))
            return plan_for_invalid(identity, error, observed, now)
        observed = self._with_answers(deployment, observed)
        accelerator = deployment.accelerator
        image = self._settings.image_for(accelerator.resource if accelerator else None)
        plan = make_plan(deployment, observed, now, image)
        if plan.needs_inventory:
            observed = replace(observed, inventory=await self._inventories.latest())
            plan = make_plan(deployment, observed, now, image)
        if plan.needs_inventory and plan.gives_up:
            observed = replace(observed, inventory=await self._inventories.latest(of_now=True))
            plan = make_plan(deployment, observed, now, image)
        # What no watch shows may exist all the same: somebody else's, or ours without its label.
        found = await self._look_up(identity, plan.apply)
        if not found:
            return plan
        return make_plan(deployment, observed.with_found(identity.uid, found), now, image)

    def _with_answers(self, deployment: ModelDeployment, observed: Observed) -> Observed:
        """With what Prometheus has answered so far; nothing is waited for."""
        asked = questions(deployment, observed.status)
        if asked is None or self._polling is None:
            self._ask_nothing(str(deployment.identity))
            return observed
        return replace(observed, answers=self._polling.latest(str(deployment.identity), asked))

    def _ask_nothing(self, name: str) -> None:
        if self._polling is not None:
            self._polling.forget(name)

    async def _look_up(self, identity: Identity, wanted: Sequence[Manifest]) -> list[Manifest]:
        unseen = [key_of(manifest) for manifest in wanted if not uid_of(manifest)]
        reads = (self._cluster.read(identity.namespace, key) for key in unseen)
        found = await asyncio.gather(*reads)
        return [manifest for manifest in found if manifest is not None]

    async def _carry_out(self, identity: Identity, observed: Observed, plan: Plan) -> None:
        refusals: dict[str, ApiError] = {}
        if plan.needs_token:
            await self._make_token(identity, observed)
        for manifest in plan.apply:
            arm = arm_of(manifest)
            if arm in refusals:
                continue
            try:
                await self._apply(identity, manifest)
            except ApiError as error:
                if error.status not in _REFUSALS:
                    raise
                if not arm:
                    now = datetime.now(UTC)
                    await self._tell(identity, plan_for_refused(identity, error, observed, now))
                    raise
                refusals[arm] = error
        for key in plan.delete:
            await self._delete(identity, observed, key)
        await self._tell(identity, plan)
        if plan.gated:
            await self._open_gates(identity, plan.gated)
        # Only now: whatever is wrong with an arm holds up nothing else.
        if refused := next(iter(refusals.values()), None):
            raise refused

    async def _open_gates(self, identity: Identity, gated: Gated) -> None:
        def decide(inventory: Inventory | None) -> Sequence[Release]:
            return releases_of(gated, inventory, datetime.now(UTC))

        await self._gates.open(identity.namespace, decide)

    async def _make_token(self, identity: Identity, observed: Observed) -> None:
        """What groups know their members by; one that is there stays, and is not looked at."""
        try:
            await self._cluster.create_once(token_secret(identity, secrets.token_urlsafe(32)))
        except ApiError as error:
            if error.status in _REFUSALS:
                now = datetime.now(UTC)
                await self._tell(identity, plan_for_refused(identity, error, observed, now))
            raise

    async def _apply(self, identity: Identity, manifest: Manifest) -> None:
        applied = await self._cluster.apply(manifest)
        self._written.remember(identity.uid, applied)
        logger.info("applied %s", key_of(manifest), extra={"object": str(identity)})

    async def _tell(self, identity: Identity, plan: Plan) -> None:
        if plan.status is not None:
            written = await self._cluster.apply_status(identity, plan.status)
            self._written.remember(identity.uid, written | {"kind": names.KIND})
        for announcement in plan.announcements:
            await self._announce(identity, announcement.manifest())

    async def _delete(self, identity: Identity, observed: Observed, key: ObjectKey) -> None:
        uid = uid_of(observed.children[key])
        await self._cluster.delete(identity.namespace, key, uid)
        self._written.remember_deleted(identity.uid, key, uid)
        logger.info("deleted %s", key, extra={"object": str(identity)})

    async def _announce(self, identity: Identity, event: Manifest) -> None:
        log = logger.warning if event["type"] == "Warning" else logger.info
        log("%s: %s", event["reason"], event["note"], extra={"object": str(identity)})
        try:
            await self._cluster.announce(identity, event, datetime.now(UTC))
        except ApiError as error:
            # The status holds the same; a namespace that is full of events must not stop passes.
            logger.warning("event not posted: %s", error, extra={"object": str(identity)})
