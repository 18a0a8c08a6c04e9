"""Holds what goes between us and a stand-in against the published API of the real server."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from fakes.base import Answer, App, Request

# (call, schema of what is sent, schema of what a success answers)
Call = tuple[str, str | None, str]


class Contract:
    """`schemas` by name; one may refer to another as `#/$defs/<name>`."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._validators = {
            name: Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schemas}) for name in schemas
        }

    def hold(self, name: str, document: object) -> None:
        """Raises an AssertionError that names every difference."""
        differences = [f"{error.json_path}: {error.message}" for error in self._validators[name].iter_errors(document)]
        assert not differences, f"not a {name} of the published API: {'; '.join(differences)}"


class Held(App):
    """A stand-in, with every call and delivery held against its contract. `broken` keeps what was not as it says: a
    server answers in a thread of its own, where an assertion would be lost. `paths`: where the API is."""

    contract: Contract
    calls: Sequence[Call]
    paths: tuple[str, ...]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.broken: list[str] = []
        # What was held already: an invoice that is looked at every hour says the same every hour.
        self._good: set[tuple[str, bytes]] = set()
        render = self.webhooks.render

        def rendered(*message: Any) -> Any:
            body, headers = render(*message)
            self._hold("webhook", body)
            return body, headers

        self.webhooks.render = rendered

    def handle(self, request: Request) -> Answer | None:
        answer = super().handle(request)
        if request.path.startswith(self.paths):
            self._hold_call(request, answer)
        return answer

    def error_in(self, answer: Answer) -> str | None:
        """The schema of an answer that is an error; None for a success."""
        raise NotImplementedError

    def _hold_call(self, request: Request, answer: Answer | None) -> None:
        call = f"{request.method} {request.path}"
        known = next((row for row in self.calls if re.fullmatch(row[0], call)), None)
        if known is None:
            self.broken.append(f"{call} is no call that we know of")
            return
        _, sent, answered = known
        if sent:
            self._hold(sent, request.body)
        if answer is not None and answer.status < 500:
            self._hold(self.error_in(answer) or answered, answer.body)

    def _hold(self, name: str, text: bytes) -> None:
        if (name, text) in self._good:
            return
        try:
            self.contract.hold(name, json.loads(text))
            self._good.add((name, text))
        except AssertionError as different:
            self.broken.append(str(different))
