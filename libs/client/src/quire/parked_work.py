"""What operators ask and say of paid work of which nobody can say whether its provider has it."""

from __future__ import annotations

from typing import Any

from quire.transport import Transport, decoded


class ParkedWork:
    """This part of a client; `transport` is the way to the API."""

    transport: Transport

    def parked(self) -> tuple[dict[str, Any], ...]:
        """Submissions of which nobody can say whether their provider has them, earliest first, as plain objects."""
        found: dict[str, Any] = decoded(self.transport.call("GET", "/v1/parked"), dict)
        return tuple(found["submissions"])

    def adopt(self, batch_id: str, provider_job_id: str, *, by: str = "") -> None:
        """Go on with a job of a parked submission that was found at its provider.

        Raises:
            NotFoundError: if there is no such submission.
        """
        params = {"provider_job_id": provider_job_id, "by": by}
        self.transport.call("POST", f"/v1/parked/{batch_id}/adopt", params=params)

    def abandon(self, batch_id: str, *, by: str = "") -> None:
        """Say that nothing will come of a parked submission.

        Raises:
            NotFoundError: if there is no such submission.
        """
        self.transport.call("POST", f"/v1/parked/{batch_id}/abandon", params={"by": by})
