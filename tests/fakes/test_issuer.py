"""Signing in at the stand-in of an identity provider, as a page does it; its tokens at our verifier."""

import base64
import hashlib
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from billing.errors import NotAuthenticated
from billing.identity.oidc import oidc_verifier
from billing.settings import Settings, identity_provider
from fakes.base import Server
from fakes.issuer import CLIENT_ID, PEOPLE, Issuer

RETURN = "https://portal.example/console/signed-in"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    app = Issuer()
    app.returns_to.add(RETURN)
    with Server(app):
        yield app


def asked(**other: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": RETURN,
        "scope": "openid offline_access",
        "state": "s1",
        "nonce": "n1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **other,
    }


def returned(issuer: Issuer, person: str, **other: str) -> dict[str, str]:
    form = {**asked(**other), "person": person}
    answer = requests.post(f"{issuer.url}/authorize", data=form, allow_redirects=False, timeout=10)
    assert answer.headers["Location"].startswith(f"{RETURN}?")
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def tokens(issuer: Issuer, code: str, **other: str) -> requests.Response:
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "code": code, "redirect_uri": RETURN}
    return requests.post(f"{issuer.url}/token", data={**form, "code_verifier": VERIFIER, **other}, timeout=10)


def settings(issuer: Issuer) -> Settings:
    names = {"Issuer": "ISSUER", "Audience": "AUDIENCE", "JwksUrl": "JWKS_URL", "ClientId": "CLIENT_ID"}
    names |= {"AuthorizationUrl": "AUTHORIZATION_URL", "TokenUrl": "TOKEN_URL", "Scope": "SCOPE"}
    names |= {"EndSessionUrl": "END_SESSION_URL"}
    names |= {f"{role}Group": f"{role.upper()}_GROUP" for role in ("Viewer", "Support", "Admin")}
    env = {f"OIDC_{names[name.removeprefix('Oidc')]}": value for name, value in issuer.parameters().items()}
    return Settings({**env, "STAGE": "test", "IDENTITY_PEPPER": "p" * 32})


@pytest.mark.parametrize("person", PEOPLE)
def test_whoever_signs_in_has_the_role_of_their_group(issuer: Issuer, person: str) -> None:
    back = returned(issuer, person)
    assert (back["state"], back["iss"]) == ("s1", issuer.url)
    answer = tokens(issuer, back["code"])
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    session = oidc_verifier(settings(issuer)).verify(answer.json()["id_token"], issuer.clock.now())
    assert session.role == ("" if person == "visitor" else person)


def test_its_page_offers_everybody_and_refuses_a_page_that_did_not_register(issuer: Issuer) -> None:
    page = requests.get(f"{issuer.url}/authorize", asked(), timeout=10)
    assert all(title in page.text for title, _ in PEOPLE.values())
    for wrong in (
        {"redirect_uri": "https://elsewhere.example/"},
        {"client_id": "x"},
        {"code_challenge_method": "plain"},
    ):
        assert requests.get(f"{issuer.url}/authorize", asked(**wrong), timeout=10).status_code == 400


def test_a_code_opens_once_and_only_with_its_verifier(issuer: Issuer) -> None:
    code = returned(issuer, "admin")["code"]
    assert tokens(issuer, code, code_verifier="w" * 43).json() == {"error": "invalid_grant"}
    assert tokens(issuer, code).status_code == 400  # the wrong try has used it up
    code = returned(issuer, "admin")["code"]
    assert tokens(issuer, code).status_code == 200
    assert tokens(issuer, code).status_code == 400
    late = returned(issuer, "admin")["code"]
    issuer.advance(61)
    assert tokens(issuer, late).status_code == 400


def test_a_refresh_token_is_there_for_whom_asked_for_it_and_works_once(issuer: Issuer) -> None:
    assert "refresh_token" not in tokens(issuer, returned(issuer, "admin", scope="openid")["code"]).json()
    first = tokens(issuer, returned(issuer, "support")["code"]).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": first}
    renewed = requests.post(f"{issuer.url}/token", data=form, timeout=10).json()
    assert oidc_verifier(settings(issuer)).verify(renewed["id_token"], issuer.clock.now()).role == "support"
    assert requests.post(f"{issuer.url}/token", data=form, timeout=10).status_code == 400


def test_its_document_says_what_a_stack_is_told(issuer: Issuer) -> None:
    said = requests.get(f"{issuer.url}/.well-known/openid-configuration", timeout=10).json()
    given = issuer.parameters()
    assert [said["issuer"], said["jwks_uri"], said["authorization_endpoint"], said["token_endpoint"]] == [
        *(given["OidcIssuer"], given["OidcJwksUrl"], given["OidcAuthorizationUrl"], given["OidcTokenUrl"])
    ]
    page = identity_provider(settings(issuer))
    assert page is not None
    assert (page["token"], page["token_url"]) == ("id", given["OidcTokenUrl"])
    assert page["end_session_url"] == said["end_session_endpoint"]


def test_a_token_ends(issuer: Issuer) -> None:
    token = tokens(issuer, returned(issuer, "admin")["code"]).json()["id_token"]
    with pytest.raises(NotAuthenticated):
        oidc_verifier(settings(issuer)).verify(token, issuer.clock.now() + issuer.token_seconds + 60)


def test_whoever_signed_in_is_remembered_until_they_sign_out_there(issuer: Issuer) -> None:
    home = RETURN.removesuffix("/signed-in")
    issuer.leaves_to.add(home)
    browser = requests.Session()
    browser.post(f"{issuer.url}/authorize", {**asked(), "person": "support"}, allow_redirects=False, timeout=10)

    def known(**other: str) -> bool:
        again = browser.get(f"{issuer.url}/authorize", params=asked(**other), allow_redirects=False, timeout=10)
        return again.status_code == 303

    def leave(**asks: str) -> requests.Response:
        return browser.get(f"{issuer.url}/logout", params=asks, allow_redirects=False, timeout=10)

    assert (known(), known(prompt="select_account")) == (True, False)
    token = tokens(issuer, returned(issuer, "support")["code"]).json()["id_token"]
    assert leave(id_token_hint=token, post_logout_redirect_uri="https://elsewhere.example/").status_code == 400
    assert leave(id_token_hint="made up").status_code == 400
    assert "Sign out?" in leave(client_id=CLIENT_ID, post_logout_redirect_uri=home).text
    assert known()
    issuer.advance(issuer.token_seconds + 60)
    assert (
        leave(id_token_hint=token, post_logout_redirect_uri=home, state="s2").headers["Location"] == f"{home}?state=s2"
    )
    assert not known()
