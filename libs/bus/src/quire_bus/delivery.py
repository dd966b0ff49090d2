"""One message in a handler's hands: its envelope, and the one atomic commit that answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from quire_contracts.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quire_bus.envelope import Meta, Outgoing
    from quire_bus.records import RecordWrite
    from quire_contracts.value import Fault

M = TypeVar("M", bound=Value)


@dataclass(frozen=True, slots=True)
class Logged:
    """An event of any type, as `Router.follow` gives it.

    message is None, and `fault` says why, where this release does not know the type or the body is not of it.
    """

    meta: Meta
    message: Value | None
    body: bytes
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit stored: its last place on the log, and each record's new revision, in the order they were given."""

    sequence: int
    revisions: tuple[int, ...] = ()


class Delivery(Generic[M]):
    """One delivery of a message of type M.

    meta: its envelope.   message: its decoded body.   committed: whether `commit` has succeeded.
    """

    meta: Meta
    message: M
    committed: bool

    async def commit(
        self,
        *messages: Value | Outgoing,
        records: Sequence[RecordWrite] = (),
        together: Sequence[Delivery[M]] = (),
    ) -> Committed:
        """Store the inbox mark, the records and the messages in one atomic batch: all of them or none.

        messages: sent in this order; ids are deterministic in this delivery's id, so a repetition emits the same.
        records: each is a compare-and-swap.
        together: other deliveries of the same consumer that this commit answers too (a window of tasks that became
            one batch); their marks are in the same batch, and their handlers may then simply return.

        Order of effects in a handler: write large data to the blobs, commit, return. Calling it twice in one handler
        is an error: a second commit would not be part of the first one's atom.

        Raises:
            Conflict: a record's revision is stale; nothing was stored. Left uncaught, the handler runs again.
            AlreadyDone: another run of this message has committed (never catch it: the bus acknowledges).
            TooLarge, NotStored, Unknown: nothing stored, nothing stored, and may be stored; leave them uncaught.
            ValueError: for two messages with one id, or more than 1,000 parts.
        """
        ...
