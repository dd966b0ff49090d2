"""`quire emulator`: a quantum cloud on this machine, for gateways that shall not spend money yet."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from quire.console import print_json, say
from quire.errors import CannotConnectError
from quire.options import AsJson

_PROGRAM: Final = "quire_emulator"
_STOP_SECONDS: Final = 10.0


def emulator(
    *,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where its ledger and results are kept.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of all its APIs; 0 takes any.")] = 8090,
    config: Annotated[Path | None, typer.Option("--config", help="TOML: seed, devices, prices, limits.")] = None,
    script: Annotated[Path | None, typer.Option("--script", help="TOML: faults that shall happen.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run an emulated quantum cloud: a Braket API, a jobs API with tags, one without, and faults on demand."""
    if find_spec(_PROGRAM) is None:
        step = "install it with:  pip install 'quire[emulator]'"
        raise CannotConnectError("this installation has no emulator", next_step=step)
    where = data_dir or Path.home() / ".quire" / "emulator"
    command = [sys.executable, "-m", _PROGRAM, "--data-dir", str(where), "--port", str(port), "--with-parent"]
    command += ["--config", str(config)] if config else []
    command += ["--script", str(script)] if script else []
    # Its own session: an interrupt at the terminal reaches this process alone, which ends the child in order.
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    with child:
        try:
            line = child.stdout.readline() if child.stdout else b""
            if not line:
                raise CannotConnectError(f"the emulator did not come up (exit code {child.wait(_STOP_SECONDS)})")
            _show(json.loads(line), where, as_json=as_json)
            code = child.wait()
        except KeyboardInterrupt:  # the way in which it is meant to end
            return
        finally:
            child.terminate()
    say(f"quire: the emulator ended by itself (exit code {code})")
    raise typer.Exit(1 if code else 0)


def _show(ready: dict[str, str | int], where: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(ready | {"data_dir": str(where)})
        return
    url = ready["url"]
    say(f"The emulated cloud is up; its ledger is {where / 'ledger.jsonl'}")
    say(f"  Braket        {url}/braket      (AWS_ENDPOINT_URL_BRAKET)")
    say(f"  S3            {url}/s3          (AWS_ENDPOINT_URL_S3)")
    say(f"  jobs, tags    {url}/ibm/v1")
    say(f"  jobs, no tags {url}/anonymous/v1")
    say(f"  control       {url}/control     (faults, report, ledger, jobs, health)")
