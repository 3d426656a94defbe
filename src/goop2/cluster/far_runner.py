"""The runner of the queue whose places are on other machines: it gives calls to nodes by credit, and hears how they end.

Before a call is handed over it waits in the queue, as ever. After that it is carried out at most once: with a node that is lost its calls
end as `unavailable`. Only a call of which the server says that nobody listened goes back into the queue. What nodes send is decoded
against types and bounds; a node that breaks them is not used again until it is started anew.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
import structlog

from goop2 import __version__
from goop2.cluster import messages
from goop2.cluster.bus import Bus
from goop2.cluster.far_call import FarCall
from goop2.cluster.loss_clock import LossClock
from goop2.cluster.messages import Beat, Call, Cancel, Farewell, NodeSetup, Refused, ToNode
from goop2.cluster.nodes import KnownNode, Nodes
from goop2.cluster.placement import Placement
from goop2.sandbox.framing import WorkerProtocolError
from goop2.scripting.call_queue import CallQueue
from goop2.scripting.fairness import OWNER_TENANT
from goop2.scripting.invocation import ErrorCode, Invocation, Outcome
from goop2.scripting.job import Job, Lease
from goop2.scripting.limits import CALLER_SHARE_OF_WORKERS, REASON_MAX_CHARS
from goop2.scripting.peer_operations import HostOperations

NODE_LOST: Final = Outcome(ErrorCode.UNAVAILABLE, b"the machine this call ran on went away; it may have been carried out")
NODE_LIED: Final = Outcome(ErrorCode.UNAVAILABLE, b"the machine this call ran on broke the protocol; it may have been carried out")

Lend = Callable[[str, Lease, float], Coroutine[Any, Any, Outcome]]

log = structlog.get_logger(__name__)


class FarRunner:
    """Places on other machines (`Runner`)."""

    def __init__(
        self,
        *,
        bus: Bus,
        calls: CallQueue,
        lend: Lend,
        operations: HostOperations,
        placement: Placement,
        welcome: NodeSetup,
        name_of: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lend`: gives a worker of this machine for a call's operations on the database. `name_of`: key of a node → its name."""
        self.placement = placement
        self.operations = operations
        self.nodes = Nodes()
        self.loss = LossClock(clock)
        self.calls_given = self.calls_lost = 0
        self.put_back = 0
        """Calls that went back into the queue, since nobody listened where they were sent."""
        self.breaches = 0
        """Times a node sent what no message is, or one out of place."""
        self._bus = bus
        self._calls = calls
        self._lend = lend
        self._welcome = welcome
        self._name_of = name_of
        self._far: dict[int, FarCall] = {}
        self._by_job: dict[Job, FarCall] = {}
        self._held: dict[str, int] = {}
        """Tenant → calls of it on other machines."""
        self._is_pulling = False
        # Begins somewhere else after each start, so that what nodes still say of calls of an earlier start matches no call of this one.
        self._next = secrets.randbits(48) << 12

    # ── what the queue asks (scripting.runner.Runner) ────────────────────────────────────────

    def take(self, job: Job) -> bool:
        """Give a job that has just come to a node, if it may leave and there is credit."""
        return self._may_leave(job) and self._give(job)

    def pull(self) -> None:
        """Give waiting jobs that may leave to nodes, in fair order, as long as there is credit."""
        if self._is_pulling:  # a job that is put back asks for this again
            return
        self._is_pulling = True
        try:
            while self.credit and (job := self._calls.waiting.take(self._may_go)) is not None:
                # No node took it, since its message is too large, say: back to its place, or the next one would overtake it.
                if not self._give(job):
                    self._calls.put_back(job)
                    return
        finally:
            self._is_pulling = False

    def tick(self, now: float) -> None:
        """Do nothing: the echo of the server, not this machine's clock, says who is lost."""

    def abandon(self, job: Job) -> None:
        """Have the node of a job stop, if it is one of ours."""
        call = self._by_job.get(job)
        if call is not None:
            self._drop(call)
            self.tell(call.node, Cancel(call.id))
            self.pull()

    @property
    def credit(self) -> int:
        """Return how many more calls may be given away now."""
        return self.nodes.credit if self._bus.connected else 0

    @property
    def under_way(self) -> int:
        """Return how many calls are on other machines now."""
        return len(self._far)

    def _may_go(self, tenant: str) -> bool:
        job = self._calls.waiting.oldest(tenant)
        return job is not None and self._may_leave(job)

    def _may_leave(self, job: Job) -> bool:
        if not self.placement.may_leave(job):
            return False
        # The queue's own shares count the workers here, which such a call does not hold: so the share of a caller is kept here too.
        share = max(1, self.nodes.slots // CALLER_SHARE_OF_WORKERS)
        return job.tenant == OWNER_TENANT or self._held.get(job.tenant, 0) < share

    # ── giving ───────────────────────────────────────────────────────────────────────────────

    def _give(self, job: Job) -> bool:
        work = job.work
        if not isinstance(work, Invocation) or not self._bus.connected:
            return False
        node = self.nodes.best(work.script.version)
        if node is None:
            return False
        self._next += 1
        call = FarCall(self, node, job, work, self._next)
        # Nothing is counted before the message has gone: a call that does not fit runs near.
        if not self.send_call(call, with_source=not node.knows(work.script.version)):
            return False
        job.started = time.monotonic()
        self._far[call.id] = self._by_job[job] = call
        node.given[call.id] = None
        node.calls += 1
        self.calls_given += 1
        self._held[job.tenant] = self._held.get(job.tenant, 0) + 1
        return True

    def send_call(self, call: FarCall, *, with_source: bool) -> bool:
        """Send a call to its node; return whether it fits into a message."""
        job, work = call.job, call.job.work
        assert isinstance(work, Invocation)
        script, caller = work.script, work.caller
        message = Call(
            call.id,
            script.invoked_as,
            script.name,
            script.version,
            script.source if with_source else None,
            work.argument,
            caller.id,
            caller.label or caller.id,
            caller.email,
            job.tenant == OWNER_TENANT,
            # Seconds that are left and no instant: the clocks of two machines have nothing in common.
            work.deadline - time.monotonic(),
        )
        return self.tell(call.node, message, messages.call_subject(call.node.key, call.id))

    def tell(self, node: KnownNode, message: ToNode, reply: str = "") -> bool:
        """Send a message to a node; return False, and send nothing, when it is larger than the server allows."""
        content = messages.encode(message)
        if len(content) > self._bus.max_bytes:
            return False
        self._bus.send(messages.node_subject(node.key, node.beat.boot), content, reply)
        return True

    def lend(self, job: Job, lease: Lease) -> Coroutine[Any, Any, Outcome]:
        """Lend a worker of this machine to a call elsewhere."""
        return self._lend(job.tenant, lease, job.deadline)

    # ── ending ───────────────────────────────────────────────────────────────────────────────

    def finish(self, call: FarCall, outcome: Outcome) -> None:
        """Give a call its outcome; its node may have another one."""
        self._drop(call)
        self._calls.finish(call.job, outcome)
        self.pull()

    def break_off(self, call: FarCall, reason: str) -> None:
        """End a call whose node broke the protocol, and all it has; it is not used again until it is started anew."""
        self._refuse(call.node, f"it broke the protocol: {reason[:REASON_MAX_CHARS]}")
        self.breaches += 1
        for number in list(call.node.given):
            self.tell(call.node, Cancel(number))
            self._finish_lost(number, NODE_LIED)

    def _drop(self, call: FarCall) -> None:
        """Give back the places that a call took here and at its node, whatever its outcome is. Idempotent."""
        if self._far.pop(call.id, None) is None:
            return
        job = call.job
        del self._by_job[job]
        call.node.given.pop(call.id, None)
        self._held[job.tenant] -= 1
        if not self._held[job.tenant]:
            del self._held[job.tenant]
        self._calls.fairness.charge(job.tenant, time.monotonic() - job.started)
        call.stop()

    def _finish_lost(self, number: int, outcome: Outcome) -> None:
        call = self._far.get(number)
        if call is not None:
            call.node.losses += 1
            self.calls_lost += 1
            self._drop(call)
            self._calls.finish(call.job, outcome)

    def _lose_calls(self, node: KnownNode) -> None:
        node.lost_calls = list(node.given)
        for number in node.lost_calls:
            self._finish_lost(number, NODE_LOST)

    # ── hearing ──────────────────────────────────────────────────────────────────────────────

    def hear(self, subject: str, content: bytes, nobody: bool) -> None:
        """Take a message below `FROM_NODES`. Never raises."""
        if subject == messages.ECHO:
            self.loss.echoed()
            for node in self.nodes.lose(self.loss.seconds):
                # A node that said it leaves, and has no calls, ended in order: nobody needs to hear of it.
                if node.given or not node.beat.leaving:
                    log.warning("a node of the cluster is lost", node=node.name, calls=len(node.given))
                self._lose_calls(node)
            return
        key, what, number = messages.places(subject)
        if what == "beat":
            self._hear_beat(key, content)
        elif what == "call" and number is not None:
            self._hear_of_call(key, number, content, nobody)

    def disconnected(self) -> None:
        """Take note that the server is away: nobody can be heard, so nobody is lost by it."""
        self.loss.stand_still()

    def _hear_of_call(self, key: str, number: int, content: bytes, nobody: bool) -> None:
        call = self._far.get(number)
        # The server lets a node speak for itself alone, so that the key says who spoke: what others say of a call does not count.
        if call is None or call.node.key != key:
            return
        if nobody:
            self._nobody_has(call)
            return
        try:
            call.hear(messages.of_call.decode(content))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, WorkerProtocolError) as breach:
            self.break_off(call, str(breach))

    def _nobody_has(self, call: FarCall) -> None:
        # The program is gone. If it comes again it has another boot, and no sources; its next beat makes it usable.
        call.node.here = call.node.ready = False
        call.node.sources.clear()
        if call.heard_of:  # it had begun when its node went
            self._finish_lost(call.id, NODE_LOST)
            return
        self.put_back += 1
        self._drop(call)
        self._calls.put_back(call.job)

    def _hear_beat(self, key: str, content: bytes) -> None:
        try:
            beat = messages.beat.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as breach:
            self._hear_nonsense(key, str(breach))
            return
        node, was_here = self.nodes.hear(key, self._name_of(key), beat, self.loss.seconds)
        if node is None:
            return
        # Looked at once, when it comes: the version of a program that runs does not change.
        if not was_here and not node.refused and (why := self._why_not(beat)):
            self._refuse(node, why)
        if node.refused:
            self.tell(node, Refused(node.refused))
        else:
            self._use(node, beat, was_here=was_here)

    def _use(self, node: KnownNode, beat: Beat, *, was_here: bool) -> None:
        """Bring a node to where it can be given calls, and give it some."""
        if not was_here:
            # It was silent for too long: its calls were told as lost, so what it still does for them is in vain.
            for number in node.lost_calls:
                self.tell(node, Cancel(number))
            node.lost_calls = []
        if beat.leaving:
            self.tell(node, Farewell())
        # Only a node whose workers were made by our present settings may be given calls; the digest in its beat is how it says so.
        was_ready, node.ready = node.ready and was_here, beat.digest == self._welcome.digest
        if not node.ready:
            self.tell(node, self._welcome)
        elif not was_ready:
            log.info("a node of the cluster is ready", node=node.name, slots=beat.slots)
        self.pull()

    def _hear_nonsense(self, key: str, reason: str) -> None:
        self.breaches += 1
        for node in self.nodes:
            if node.key == key and not node.refused:
                self._refuse(node, f"it broke the protocol: {reason[:REASON_MAX_CHARS]}")
                self._lose_calls(node)

    def _why_not(self, beat: Beat) -> str:
        """Return why a node cannot be used, "" when it can."""
        if beat.version != __version__ or beat.protocol != messages.PROTOCOL:
            return f"it runs goop2 {beat.version} and this peer {__version__}: install the same version on both"
        if self._welcome.flavour not in beat.flavours:
            has = ", ".join(beat.flavours) or "no Lua"
            return f"it has {has} and this peer runs scripts with {self._welcome.flavour}: install the same build of lupa on both"
        return ""

    def _refuse(self, node: KnownNode, why: str) -> None:
        if not node.refused:
            log.error("a node of the cluster is not used", node=node.name, why=why)
        node.refused = why
        node.ready = False
        self.tell(node, Refused(why))

    def renew(self, welcome: NodeSetup) -> None:
        """Have nodes make their workers anew: calls given from now on run with other settings."""
        self._welcome = welcome
        for node in self.nodes:
            node.ready = False
            if node.here and not node.refused:
                self.tell(node, welcome)

    def stop(self) -> None:
        """End all calls under way, and have their nodes stop."""
        for call in list(self._far.values()):
            self.tell(call.node, Cancel(call.id))
            self._drop(call)
