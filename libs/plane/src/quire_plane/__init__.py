"""What the two execution planes share: from a batch to work, through an executor, to one answer for each member.

slices         batch members to `Work`, outcomes to `SliceResult`s; pure
reading        structures and observables, read from their texts once
reduction      counts brought down to values where nobody needs the counts; pure
mitigation     mitigated work: what each scale of noise gave, extrapolated to none
admission      whether an executor can take the work, in words for its sender; pure
content        what an answer depends on, as one digest for each member; pure
coalescing     identical work runs once: in a batch, across batches, and again later from memory
result_memory  answers of this process, bounded by bytes and age
fleet_results  answers that all processes share
sampling       counts from probabilities, each row from a random stream of its own; pure
compile_cache  compiled circuits by all that they depend on
aer_gates      what Aer's parameter binding can be trusted with
tracing        the batch's span, and each member's share of it in its own job's trace
lanes          a few threads for each target, so that a slow one takes none from the others
turns          one run at a time for each batch
warming        local simulators imported before their first batch
run            one batch from its message to its answer: blobs, remarks, spans
"""

from quire_plane.admission import admit
from quire_plane.lanes import Lanes
from quire_plane.run import Perform, Plane, with_wait
from quire_plane.slices import batch_failed
from quire_plane.turns import Turns
from quire_plane.warming import warm

__all__ = ["Lanes", "Perform", "Plane", "Turns", "admit", "batch_failed", "warm", "with_wait"]
