"""Where a service is called: AWS's own variables, the partition `aws`, Amazon's own roots."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from billing.aws import Aws
from billing.aws.endpoint import endpoint
from billing.errors import NotConfigured
from tests.aws.bad_server import BadServer, fine

URL = "http://127.0.0.1:1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
NAMES = {
    "dynamodb": "DYNAMODB",
    "sqs": "SQS",
    "events": "EVENTBRIDGE",
    "secretsmanager": "SECRETS_MANAGER",
    "kms": "KMS",
}


@pytest.mark.parametrize(("service", "name"), NAMES.items())
def test_a_service_is_called_where_its_variable_says_then_the_common_one_then_by_its_region(
    service: str, name: str
) -> None:
    own, common = {f"AWS_ENDPOINT_URL_{name}": "https://own.example:8443/ignored"}, {"AWS_ENDPOINT_URL": URL}
    found = endpoint(service, "us-east-1", own | common)
    assert (found.host, found.port, found.shown) == ("own.example", 8443, "own.example:8443")
    assert endpoint(service, "us-east-1", common).shown == "127.0.0.1:1"
    ignored = {**own, **common, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    for environ in ({}, ignored):
        found = endpoint(service, "eu-central-1", environ)
        assert (found.host, found.port) == (f"{service}.eu-central-1.amazonaws.com", 443)
        assert found.tls is not None


@pytest.mark.parametrize(
    ("url", "shown", "trusted"),
    [
        ("http://localhost:80", "localhost", True),
        ("http://[::1]:4566", "[::1]:4566", True),
        ("http://user:word@10.0.0.1:4566", "10.0.0.1:4566", False),
        ("https://10.0.0.1", "10.0.0.1", True),
    ],
)
def test_a_host_is_signed_as_botocore_shows_it_and_only_a_proven_one_may_set_our_clock(
    url: str, shown: str, trusted: bool
) -> None:
    found = endpoint("sqs", "us-east-1", {"AWS_ENDPOINT_URL": url})
    assert (found.shown, found.trusted) == (shown, trusted)


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1", "nowhere", ""])
def test_another_partition_is_refused_instead_of_called_elsewhere(region: str) -> None:
    with pytest.raises(NotConfigured):
        endpoint("sqs", region, {})
    assert endpoint("sqs", region, {"AWS_ENDPOINT_URL": URL}).host == "127.0.0.1"


@pytest.mark.parametrize("name", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_a_kind_of_endpoint_that_we_do_not_know_is_refused(name: str) -> None:
    with pytest.raises(NotConfigured):
        endpoint("sqs", "us-east-1", {name: "true"})


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:4566", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(NotConfigured):
        endpoint("sqs", "us-east-1", {"AWS_ENDPOINT_URL": url})


@pytest.mark.parametrize("missing", list(CREDENTIALS))
def test_without_region_or_credentials_no_call_is_made(missing: str) -> None:
    environ = {name: value for name, value in CREDENTIALS.items() if name != missing}
    with pytest.raises(NotConfigured):
        Aws(environ=environ | {"AWS_ENDPOINT_URL": URL}).call("sqs", "send_message")


def test_amazons_addresses_are_held_to_amazons_roots_alone() -> None:
    context = endpoint("dynamodb", "us-east-1", {}).tls
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    names = {dict(pair[0] for pair in root["subject"])["commonName"] for root in context.get_ca_certs()}
    starfield = "Starfield Services Root Certificate Authority - G2"
    assert names == {*(f"Amazon Root CA {n}" for n in range(1, 5)), starfield}
    elsewhere = endpoint("dynamodb", "us-east-1", {"AWS_ENDPOINT_URL": "https://10.0.0.1"}).tls
    assert elsewhere is not None
    assert len(elsewhere.get_ca_certs()) != 5


class SecureServer(BadServer):
    """TLS 1.3, which sends tickets for a next session that nobody asked for."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(fine())
        self._listening = context.wrap_socket(self._listening, server_side=True)
        self.url = self.url.replace("http:", "https:")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """For this machine, and by nobody that the world knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now.replace(year=2040))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "certificate.pem"
    path.write_bytes(private + made.public_bytes(pem))
    return path


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecureServer]:
    """However long a busy machine takes for a handshake."""
    monkeypatch.setattr("billing.aws.connection._CONNECT_SECONDS", 30)
    monkeypatch.setattr("billing.aws.transport._EARLY_SECONDS", 30)
    monkeypatch.setattr("billing.aws.transport.CALL_SECONDS", 60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with SecureServer(context) as server:
        yield server


def test_a_connection_opened_at_initialisation_is_the_one_that_is_asked(
    secure: SecureServer, certificate: Path
) -> None:
    aws = Aws("dynamodb", environ=CREDENTIALS | {"AWS_ENDPOINT_URL": secure.url, "AWS_CA_BUNDLE": str(certificate)})
    assert secure.accepted.wait(30)  # with the tickets, which end the server's part of the handshake
    for _ in range(2):
        assert aws.call("dynamodb", "get_item", TableName="t", Key={"k": {"S": "a"}})["Item"]
    assert secure.connections == 1


def test_whoever_cannot_prove_who_he_is_gets_nothing(secure: SecureServer) -> None:
    with pytest.raises(Exception, match=r"did not answer GetItem: NotSent.*certificate verify failed"):
        Aws(environ=CREDENTIALS | {"AWS_ENDPOINT_URL": secure.url}).call("dynamodb", "get_item", TableName="t", Key={})
    assert secure.requests == []
