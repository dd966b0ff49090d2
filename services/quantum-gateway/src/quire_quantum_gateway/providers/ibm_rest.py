"""A small client of a jobs API shaped like IBM Quantum's: one request a call, circuits as OpenQASM 3.

For clouds that speak this API without IBM's accounts around it. `RestBackend` is a Qiskit backend like any other.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import requests
from qiskit import qasm3
from qiskit.providers import BackendV2, Options
from qiskit_ibm_runtime.utils.backend_converter import convert_to_target
from qiskit_ibm_runtime.utils.backend_decoder import configuration_from_server_data, properties_from_server_data

from quire_quantum_gateway.providers.ibm_account import PAGE, PAGES, Described, Job, Missing, Request, Tallies, read_job
from quire_quantum_gateway.providers.port import Availability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from qiskit.transpiler import Target

_CONNECT_SECONDS: Final = 5.0


class RestBackend(BackendV2):  # type: ignore[misc]
    """A backend of a jobs API: what it takes, as of now, and how work is given to it."""

    def __init__(self, account: RestAccount, configuration: Any, properties: Any) -> None:
        """configuration, properties: as the service gives them, decoded."""
        super().__init__(name=configuration.backend_name, backend_version=configuration.backend_version)
        self._account = account
        self._target = convert_to_target(configuration, properties, include_control_flow=False)

    @property
    def target(self) -> Target:
        """What the compiler needs to know."""
        return self._target

    @property
    def max_circuits(self) -> int | None:
        """No limit is known."""
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=4_096, job_tags=())

    def run(self, run_input: Sequence[Request], **options: Any) -> str:
        """Make one job of all rows; its id. Options: `shots` and `job_tags`."""
        given = {**dict(self.options), **options}
        return self._account.create(self.name, run_input, given["shots"], given["job_tags"])


class RestAccount:
    """An account at a jobs API; see `ibm_account.Account`.

    url: of the API, version included. token: sent as a bearer's where there is one. seconds: for an answer to begin.
    longest: seconds that a job may take at most, after which the service stops it.
    """

    def __init__(self, url: str, token: str, *, seconds: float, calls: int, longest: int) -> None:
        """Nothing is called."""
        self._url = url.rstrip("/")
        self._timeouts = (_CONNECT_SECONDS, seconds)
        self._longest = longest
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=calls, max_retries=0)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def describe(self, name: str) -> Described:
        """See `Account.describe`."""
        raw = self._get(f"backends/{name}/configuration")
        properties = self._get(f"backends/{name}/properties")
        calibration_id = str(properties["last_update_date"])
        configuration = configuration_from_server_data(raw)
        if configuration is None:
            raise ValueError("the backend's configuration cannot be read")
        backend = RestBackend(self, configuration, properties_from_server_data(properties))
        return Described(backend, calibration_id, simulator=bool(raw.get("simulator")), max_shots=raw.get("max_shots"))

    def availability(self, name: str) -> Availability:
        """See `Account.availability`."""
        found = self._get(f"backends/{name}/status")
        is_open = bool(found["state"]) and found.get("status", "active") == "active"
        reason = "" if is_open else f"the backend is {found.get('status', 'not operational')}"
        return Availability(open=is_open, reason=reason, queued=found.get("length_queue"))

    def run(self, described: Described, requests: Sequence[Request], shots: int, tags: Sequence[str]) -> str:
        """See `Account.run`."""
        return str(described.backend.run(requests, shots=shots, job_tags=tags))

    def create(self, backend: str, requests: Sequence[Request], shots: int, tags: Sequence[str]) -> str:
        """Make a job; its id."""
        pubs = []
        for request in requests:
            program = qasm3.dumps(request.circuit)
            pubs += [[program, row, shots] for row in request.values.tolist()]
        body = {
            "program_id": "sampler",
            "backend": backend,
            "params": {"pubs": pubs, "version": 2, "support_qiskit": False},
            "tags": list(tags),
            "cost": self._longest,
        }
        return str(self._answer("POST", "jobs", json=body).json()["id"])

    def job(self, job_id: str) -> Job:
        """See `Account.job`."""
        answer = self._request("GET", f"jobs/{job_id}", params={"exclude_params": "true"})
        if answer.status_code == requests.codes.not_found:
            raise Missing(f"the account has no job {job_id}")
        answer.raise_for_status()
        return read_job(answer.json())

    def results(self, job_id: str) -> Sequence[Tallies]:
        """See `Account.results`."""
        answer = self._answer("GET", f"jobs/{job_id}/results")
        if answer.status_code == requests.codes.no_content:
            raise Missing(f"job {job_id} has no result yet")
        found = []
        for result in answer.json()["results"]:
            (register,) = result["data"].values()
            found.append(dict(Counter(register["samples"])))
        return found

    def cancel(self, job_id: str) -> None:
        """See `Account.cancel`."""
        answer = self._request("POST", f"jobs/{job_id}/cancel")
        if answer.status_code not in (requests.codes.conflict, requests.codes.not_found):
            answer.raise_for_status()

    def jobs(self, backend: str, tag: str, since: datetime) -> Iterator[Job]:
        """See `Account.jobs`."""
        asked: dict[str, Any] = {"limit": PAGE, "sort": "ASC", "created_after": since.astimezone(UTC).isoformat()}
        asked |= {"backend": backend} if backend else {}
        asked |= {"tags": tag} if tag else {}
        for page in range(PAGES):
            listed = self._get("jobs", **asked, exclude_params="true", offset=page * PAGE)["jobs"]
            yield from map(read_job, listed)
            if len(listed) < PAGE:
                return
        raise LookupError(f"more than {PAGES} pages of jobs since {since}")

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        return dict(self._answer("GET", path, params=query).json())

    def _answer(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = self._request(method, path, **more)
        answer.raise_for_status()
        return answer

    def _request(self, method: str, path: str, **more: Any) -> requests.Response:
        return self._session.request(method, f"{self._url}/{path}", timeout=self._timeouts, **more)
