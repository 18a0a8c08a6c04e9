"""Fixtures for every test: tables made from template.yaml; the local engine comes from its plugin."""

import copy
import logging
import math
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import requests
from hypothesis import settings
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

from billing import deadline
from billing.aws.connection import Connection
from demo.shop import Shop, open_shop
from local.engine import Engine
from local.tables import create_tables, read_template
from moto_in_process import InProcess
from moto_transactions import make_cheap

pytest_plugins = ["local.pytest_plugin"]
ROOT = Path(__file__).parents[1]
# Reads the models of each service once for all tests.
SESSION = botocore.session.get_session()
# A busy machine is no fault of the code: how long a test may take is the run's affair.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """template.yaml as data; an intrinsic function is its argument."""
    return read_template()


_LOOPBACK = ("127.0.0.1", "::1", "localhost", "0.0.0.0")  # noqa: S104 nothing is bound here


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """No test of this process reaches anybody but this machine, whatever it forgets to put a stand-in for."""
    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in _LOOPBACK:
            raise PermissionError(f"a test wanted to reach {address[0]}")
        connect(self, address)

    def look_up_here(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name not in _LOOPBACK:
            raise PermissionError(f"a test wanted to reach {name}")
        return lookup(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        patch.setattr(socket, "getaddrinfo", look_up_here)
        yield


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is cut short by the deadline of an invocation that an earlier test of this process began."""
    monkeypatch.setattr(deadline, "_ends_at", math.inf)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """AWS as moto plays it, on a port of this machine, which our own calls need not use; one for all of a process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()

    def connect(to: str, at: int, *more: Any) -> Connection:
        return InProcess() if (to, at) == (host, port) else Connection(to, at, *more)

    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch)
        patch.setattr("billing.aws.transport.Connection", connect)
        yield f"http://{host}:{port}"
    server.stop()


AWS_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def empty_tables(moto: str, template: dict[str, Any]) -> dict[str, Any]:
    """moto's tables as the template makes them: made once, and copied for each test, which costs a tenth."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        create_tables(SESSION.create_client("dynamodb", endpoint_url=moto), template)
    return copy.deepcopy(_moto_dynamodb().tables)


def _moto_dynamodb() -> Any:
    return get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][AWS_ENVIRONMENT["AWS_DEFAULT_REGION"]]


@pytest.fixture
def tables(moto: str, empty_tables: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every table of the template in moto, by logical id; for one thread only, moto loses races."""
    for name, value in {**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": moto}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.session, "get_session", lambda: SESSION)
    # What lies in moto's queue is seen at once.
    monkeypatch.setattr("billing.intake.dead_letters._WAIT_SECONDS", 0)
    requests.post(f"{moto}/moto-api/reset", timeout=10).raise_for_status()
    _moto_dynamodb().tables.update(copy.deepcopy(empty_tables))
    return {name: name for name in empty_tables}


def open_test_shop() -> AbstractContextManager[Shop]:
    """A whole shop on the local engine, every function held to its IAM policies. Tests use user ids of their own.

    Its entitlement tokens live for seconds, so that a test can wait for their end.
    """
    return open_shop(enforce_policies=True, parameters={"EntitlementTokenSeconds": "6"})


@pytest.fixture(scope="session")
def shop_engine() -> Iterator[Shop]:
    with open_test_shop() as shop:
        yield shop


@pytest.fixture(scope="session")
def engine(shop_engine: Shop) -> Engine:
    """The shop's engine, for tests that need the tables and nothing of the shop."""
    return shop_engine.engine
