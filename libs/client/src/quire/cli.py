"""The command line. Data goes to stdout, progress to stderr; `--json` gives one JSON value on one line.

Exit codes: 0 done, 1 the job failed, 2 wrong usage, 3 invalid input, 6 time-out (the job goes on), 7 cannot connect,
130 interrupted (the job goes on). Imports are late, so that `quire --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quire import DEFAULT_URL, JAEGER
from quire.console import INTERRUPTED, Commands, print_json, program, say
from quire.dead import dead_app
from quire.emulator import emulator
from quire.options import AsJson, DataDir, File, From, JobId, Tenant, Timeout, Url, Verbose, client_of, options_again
from quire.parked import parked_app
from quire.standing import result
from quire.switches import switch_app

if TYPE_CHECKING:
    from quire.client import Job

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Quire: run hybrid quantum-classical jobs, watch them, and always get an answer.",
    pretty_exceptions_show_locals=False,
)
app.add_typer(dead_app, name="dead")
app.add_typer(parked_app, name="parked")
app.add_typer(switch_app, name="switch")


@app.command()
def up(
    *,
    data_dir: DataDir = None,
    nats_port: Annotated[int, typer.Option(min=-1, max=65535, help="Port of the broker; -1 takes any.")] = 4222,
    http_port: Annotated[int, typer.Option(min=-1, max=65535, help="Port of the API; -1 takes any.")] = 8080,
    processes: Annotated[bool, typer.Option("--processes", help="One process for each service.")] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Run a whole Quire on this machine, until it is interrupted."""
    from quire.embedded import Embedded

    where = data_dir or Path.home() / ".quire"
    quire = Embedded(data_dir=where, nats_port=nats_port, http_port=http_port, processes=processes, verbose=verbose)
    with quire as ready:
        if as_json:
            print_json({"http": ready.http, "nats": ready.nats, "data_dir": str(where), "pid": quire.pid})
        else:
            say(f"Quire is up. API {ready.http}   broker {ready.nats}   data {where}")
            say(f"Try: {program()} run examples/bell.json{'' if ready.http == DEFAULT_URL else f' --url {ready.http}'}")
        try:
            code = quire.wait()
        except KeyboardInterrupt:  # the way in which it is meant to end
            return
        say(f"quire: the services ended by themselves (exit code {code}); their last words are in {quire.log}")
        raise typer.Exit(1 if code else 0)


@app.command()
def demo(
    *,
    url: Annotated[str | None, typer.Option("--url", help="Use this running Quire instead of one of its own.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than the committed one.")] = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Solve MaxCut on the Florentine families' marriage network, through every service."""
    from quire.demo import run_demo

    raise typer.Exit(run_demo(url=url, seed=seed, verbose=verbose, as_json=as_json))


@app.command()
def run(
    file: File,
    *,
    local: Annotated[bool, typer.Option("--local", help="Start a Quire of its own for this one job.")] = False,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
    earlier: From = "",
    timeout: Timeout = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="With --local: keep its data here.")] = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Submit a job, wait for its end, and show its answer."""
    from quire.client import Client
    from quire.documents import checked, continued, read

    body = continued(read(file), earlier) if earlier else read(file)
    checked(body)
    if not local:
        with Client(url, tenant=tenant) as client:
            job = client.submit(body)
            _follow(job, timeout, as_json=as_json, again=f"{program()} watch {job.id}{options_again(url, tenant)}")
        return
    from quire.embedded import Embedded

    with Embedded(data_dir=data_dir, verbose=verbose) as ready, Client(ready.http, tenant=tenant) as client:
        job = client.submit(body)
        try:
            _follow(job, timeout, as_json=as_json, again="")
        except (KeyboardInterrupt, typer.Exit) as error:
            if not job.status().is_over:
                ready.keep_data()
                say(f"The job rests in {ready.data_dir}. It goes on with:  quire up --data-dir {ready.data_dir}")
                say(f"and is seen with:  {program()} watch {job.id}")
            if isinstance(error, KeyboardInterrupt):
                raise typer.Exit(INTERRUPTED) from None
            raise


@app.command()
def submit(
    file: File,
    *,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
    earlier: From = "",
    key: Annotated[str, typer.Option("--key", help="Idempotency key: the same key gives the same job.")] = "",
    as_json: AsJson = False,
) -> None:
    """Submit a job and print its id."""
    from quire.documents import checked, continued, read

    body = continued(read(file), earlier) if earlier else read(file)
    checked(body)
    with client_of(url, tenant) as client:
        job = client.submit(body, idempotency_key=key)
    print_json({"job_id": job.id, "tenant": job.tenant}) if as_json else typer.echo(job.id)
    say(f"watch it with:  {program()} watch {job.id}{options_again(url, job.tenant)}")


@app.command()
def job(job_id: JobId, *, url: Url = DEFAULT_URL, tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """Show a job as it is now."""
    with client_of(url, tenant) as client:
        view = client.job(job_id).status()
    if as_json:
        print_json(view.report())
        return
    from quire.tables import show

    show(view)


@app.command()
def watch(
    job_id: JobId,
    *,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Follow a job to its end and show its answer. With --json: one line for each event, then the answer."""
    with client_of(url, tenant) as client:
        again = f"{program()} watch {job_id}{options_again(url, tenant)}"
        _follow(client.job(job_id), timeout, as_json=as_json, again=again, events=True)


@app.command()
def cancel(
    job_id: JobId,
    *,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
    reason: Annotated[str, typer.Option(help="Why; it stands in the job's record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Stop a job; what already ran stays recorded."""
    with client_of(url, tenant) as client:
        handle = client.job(job_id)
        handle.cancel(reason)
        view = handle.status(wait=5.0)
    print_json({"job_id": view.job_id, "state": view.state}) if as_json else typer.echo(view.state)


@app.command()
def replay(
    job_id: JobId,
    *,
    target: Annotated[str | None, typer.Option("--target", help="Run it here instead of where it ran.")] = None,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Run a job again, the same with the same seed, and print the new job's id."""
    with client_of(url, tenant) as client:
        made = client.job(job_id).replay(target)
    report = {"job_id": made.id, "tenant": made.tenant, "replay_of": job_id}
    print_json(report) if as_json else typer.echo(made.id)
    say(f"watch it with:  {program()} watch {made.id}{options_again(url, made.tenant)}")


@app.command()
def jobs(
    *,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    review: Annotated[bool, typer.Option("--review", help="Only those that a person is to look at.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs."""
    import msgspec

    with client_of(url, tenant) as client:
        found = client.jobs(limit=limit, needs_review=review)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    from quire.tables import show_jobs

    show_jobs(found)


@app.command()
def trace(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="A file of traces, a trace's id, or a job's id.")],
    *,
    jaeger: Annotated[str, typer.Option("--jaeger", envvar="QUIRE_JAEGER_URL", help="Where Jaeger answers.")] = JAEGER,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "default",
) -> None:
    """Show a trace as a tree: which service did what, when, and for how long."""
    from quire import traces

    if Path(what).is_file():
        found = traces.read_file(what)
    else:
        trace_id = what
        if not traces.is_trace_id(what):
            with client_of(url, tenant) as client:
                trace_id = client.job(what).status().trace_id
        found = traces.ask_jaeger(jaeger, trace_id)
    for each in found[:1]:
        traces.show_trace(each)
    if len(found) > 1:
        say(f"{len(found) - 1} more traces are in it: the batches, to which its spans link.")


app.command()(emulator)
app.command()(result)


def _follow(job: Job, timeout: float | None, *, as_json: bool, again: str, events: bool = False) -> None:
    """Watch a job to its end on stderr and print its answer; interrupting lets go of it, no more."""
    from quire.tables import show
    from quire.watching import follow

    try:
        view = follow(job, timeout=timeout, lines=as_json and events)
    except KeyboardInterrupt:
        if again:
            say(f"\nLet go of job {job.id}; it goes on. See it again with:  {again}")
        raise
    if as_json:
        print_json(view.report())
    elif view.state == "completed":
        show(view)
    view.answered()


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
