"""`make run`: the whole system on this machine until Ctrl-C. State is kept between runs in .local/state."""

import errno
import shutil
import signal
import sys
import threading
from typing import Annotated

import typer
from rich.markup import escape

from demo.history import live_once
from demo.shop import PROVIDERS, READER, open_shop
from demo.welcome import welcome
from local.engine import refuse_a_second
from local.host import WORK, EngineError
from local.progress import Steps, console

STATE = WORK / "state"


def main(
    port: Annotated[int, typer.Option(min=1, max=65_535 - READER, help="Where the API listens, on loopback.")] = 8000,
    fresh: Annotated[bool, typer.Option(help="Delete the state of earlier runs.")] = False,
    history: Annotated[bool, typer.Option(help="First simulate half a year of customers, once.")] = False,
    enforce_policies: Annotated[
        bool, typer.Option(help="Hold every function to its IAM policies, as AWS does.")
    ] = False,
    providers: Annotated[
        str, typer.Option(envvar="BILLING_PROVIDER_MODE", help="Providers on offer; the first is the default.")
    ] = PROVIDERS,
    host: Annotated[
        str, typer.Option(help="Origin of an app that contains the buyers' pages; checkouts return there.")
    ] = "",
) -> None:
    """Starts everything, prints the addresses, and waits for Ctrl-C."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)
    steps = Steps()
    try:
        if fresh:
            refuse_a_second(STATE)
            shutil.rmtree(STATE)
        with open_shop(
            port=port,
            state=STATE,
            enforce_policies=enforce_policies,
            providers=providers,
            parameters={"PortalUrl": host} if host else None,
            progress=steps,
        ) as shop:
            if history:
                live_once(shop, steps)
            steps.done()
            welcome(shop, console, STATE / "env", past=history)
            console.print("Ctrl-C stops it.")
            _wait_for_interrupt()
            console.print("\nStopping …")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        steps.done()
        console.print(f"[red]✗[/] A port is taken: {port}, or one of the stand-ins' ({port + 100} to {port + 107}).")
        console.print("  Choose another one: make run PORT=8200")
        sys.exit(1)
    except EngineError as error:
        steps.done()
        console.print(f"[red]✗[/] {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nStopped during the start.")
        sys.exit(130)


def _wait_for_interrupt() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    typer.run(main)
