"""Any WSGI application, or a part of one, that runs only for users who have a feature.

application = requires_feature(gate, "tax.enhanced")(application)
"""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from bitsleuth_billing_gate.events import LONGEST_BODY, Receiver
from bitsleuth_billing_gate.gate import Caller, Gate, Refusal

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def requires_feature(
    gate: Gate, feature: str, *, meter: bool = False, amount: int = 1
) -> Callable[[Application], Application]:
    """A use that ends in an exception, in a stream that breaks off or in 5xx costs nothing."""

    def guard(application: Application) -> Application:
        def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            caller = Caller.of(environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_COOKIE"))
            verdict = gate.decide(feature, caller, meter=meter, amount=amount)
            if isinstance(verdict, Refusal):
                status = HTTPStatus(verdict.status)
                start_response(f"{status.value} {status.phrase}", verdict.headers)
                return [verdict.body]
            said: list[str] = []

            def watched_start(status: str, headers: Any, *more: Any) -> Any:
                said.append(status)
                return start_response(status, headers, *more)

            try:
                parts = application(environ, watched_start)
            except BaseException:
                verdict.end(False)
                raise
            return _watched(parts, lambda whole: verdict.end(whole and not (said and said[-1].startswith("5"))))

        return guarded

    return guard


def _watched(parts: Iterable[bytes], end: Callable[[bool], None]) -> Iterator[bytes]:
    whole = False
    try:
        yield from parts
        whole = True
    except GeneratorExit:
        whole = True  # who stops listening has used it
        raise
    finally:
        if close := getattr(parts, "close", None):
            close()
        end(whole)


def on_billing_event(receiver: Receiver) -> Application:
    """An application for the service's webhooks, to be mounted at a path of yours."""

    def receive(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        length = environ.get("CONTENT_LENGTH") or "0"
        size = int(length) if length.isdigit() else 0
        status = HTTPStatus(
            receiver.receive(headers, environ["wsgi.input"].read(size)) if size <= LONGEST_BODY else 413
        )
        start_response(f"{status.value} {status.phrase}", [("content-length", "0")])
        return []

    return receive
