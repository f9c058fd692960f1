"""The session by which an entry runs a graph that lies on all members, made anew when one is."""

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from model_server.core.errors import Code, MemberLost, ServingError
from model_server.servables.dtypes import STRING
from model_server.servables.saved_model.model import array_of, serving_error, undecodable
from model_server.servables.signature import Signature, Tensor, Tensors, TensorSpec

_log = logging.getLogger(__name__)
# The session is of no use any more: a member has gone, or is another process now.
_OVER = frozenset({Code.UNAVAILABLE, Code.ABORTED, Code.CANCELLED})
# What servers said lately, about other requests as well.
_LOGS = "\nRecent warning and error logs"
# The first of the errors of several members, in both forms that TensorFlow has for them.
_FIRST = re.compile(
    r"(?:^\s*=+\n|^.* root error\(s\) found\.\n\s*\(0\) )[A-Z_]+: (.*?)"
    r"(?:\n\s*(?:\(1\) )?[A-Z_]+: |\n=+\s*\Z|\n\d+ successful operations|\Z)",
    re.DOTALL,
)
# Where it happened.
_PLACE = re.compile(r"^From /job:[^\n]*:\n|\nAdditional GRPC error.*", re.DOTALL)


@dataclass(frozen=True)
class Work:
    """What sessions run: the graph, its signatures by name, and how one is made of it.

    `container` has the variables, in the words of errors. A run may take `timeout_seconds`.
    """

    connect: Callable[[], Any]
    signatures: Mapping[str, Signature]
    container: str
    timeout_seconds: float


class LastingSession:
    """Runs signatures as long as all members are those that it was made with; thread-safe."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._options = tf.compat.v1.RunOptions(timeout_in_ms=int(work.timeout_seconds * 1000))
        self._lock = threading.Lock()
        # The one that requests may use, and the one that there is: with which members it was made,
        # and how often they were asked since.
        self._session: Any = None
        self._made: Any = None
        self._members: object = None
        self._looks = 0
        self._connecting = False
        self._closed = False
        self._said = "there is no session with the other members yet"

    def join(self, members: object) -> str | None:
        """Makes a session, without waiting for it, unless there is one with these members.

        Why there is none yet, for people; None once there is.
        """
        with self._lock:
            if self._made is not None and self._members == members:
                # Members that were asked before it was made may have been others.
                if self._looks > 0:
                    self._session = self._made
                    return None
                self._looks += 1
                return self._said
            self._drop()
            if not self._connecting and not self._closed:
                self._connecting = True
                # It waits until every member answers, however long that takes.
                args = (members,)
                threading.Thread(target=self._connect, args=args, daemon=True).start()
            return self._said

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError, MemberLost where a member cannot do its part."""
        known = self._work.signatures.get(signature.name)
        if known is None:
            raise ServingError(Code.UNIMPLEMENTED, f"{signature.name} is not for requests")
        session = self._session
        if session is None:
            raise MemberLost(f"the group is not whole: {self._said}")
        try:
            found = self._run(session, known, inputs)
        except MemberLost as error:
            with self._lock:
                if session is self._made:
                    self._said = error.message
                    self._drop()
            raise
        return [found[alias] for alias in outputs]

    def close(self) -> None:
        """Ends it for ever."""
        with self._lock:
            self._closed = True
            self._drop()

    def _drop(self) -> None:
        if self._made is not None:
            # It would wait for members that hang.
            threading.Thread(target=self._made.close, daemon=True).start()
        self._made = self._session = None

    def _connect(self, members: object) -> None:
        session = None
        try:
            session = self._work.connect()
            for each in self._work.signatures.values():
                self._warm_up(session, each)
        except Exception as error:
            said = f"no session with the other members: {getattr(error, 'message', error)}"
            _log.debug("%s", said, exc_info=True)
            if session is not None:
                threading.Thread(target=session.close, daemon=True).start()
            session = None
            self._said = said
        with self._lock:
            self._connecting = False
            self._made, self._members, self._looks = session, members, 0
            if self._closed:
                self._drop()

    def _warm_up(self, session: Any, signature: Signature) -> None:
        """The first run gives each member its part of the graph, which no deadline ends."""
        inputs = {alias: _zeros(spec) for alias, spec in signature.inputs.items()}
        try:
            self._run(session, signature, inputs)
        except MemberLost:
            raise
        except ServingError as error:
            _log.debug("a first run of %s: %s", signature.name, error.message)

    def _run(self, session: Any, signature: Signature, inputs: Tensors) -> Tensors:
        # Always all outputs: for others members would have to be given other parts first.
        fetches = {alias: spec.name for alias, spec in signature.outputs.items()}
        feed = {spec.name: inputs[alias] for alias, spec in signature.inputs.items()}
        try:
            found = session.run(fetches, feed, options=self._options)
        except tf.errors.OpError as error:
            raise self._error(error) from error
        except UnicodeDecodeError as error:
            raise undecodable(error) from error
        except (TypeError, ValueError) as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error
        except RuntimeError as error:
            # Python's words for a session that was closed meanwhile.
            raise MemberLost(str(error)) from error
        return {alias: array_of(value) for alias, value in found.items()}

    def _error(self, error: tf.errors.OpError) -> ServingError:
        found = serving_error(error)
        every = found.message.partition(_LOGS)[0]
        said = own_words(every)
        if found.code in _OVER or self._work.container in every:
            return MemberLost(said)
        return ServingError(found.code, said)


def own_words(message: str) -> str:
    """What a member says of an error, without where and how often it happened."""
    first = _FIRST.search(message)
    return _PLACE.sub("", first[1] if first else message)


def _zeros(spec: TensorSpec) -> Tensor:
    shape = (1,) if spec.shape is None else tuple(abs(size) for size in spec.shape)
    zeros = np.zeros(shape, spec.dtype.numpy)
    if spec.dtype is STRING:
        zeros.fill(b"")
    return zeros
