import { ApiError, createBillingClient, unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import type { AdoptedTokens } from "@bitsleuth/billing-react";

export type Provider = Schemas["IdentityProvider"];

/** Where the identity provider sends people back to; registered there as `<origin>/console/signed-in`. */
export const RETURN_PATH = "/console/signed-in";
const KEY = "bitsleuth-billing-signing-in";
const PATIENCE_MS = 10_000;
const PASSING = ["temporarily_unavailable", "server_error"];

interface Begun {
  state: string;
  nonce: string;
  verifier: string;
  returnTo: string;
}

/** The sign-in did not come to its end. `code`: a word of ours, or the identity provider's (RFC 6749, 4.1.2.1). */
export class SignInFailed extends Error {
  override name = "SignInFailed";

  constructor(readonly code: string) {
    super(code);
  }
}

/**
 * The page to go to: OpenID Connect's authorization code with PKCE. What belongs to it is kept in this tab alone, and
 * opens nothing without the code. `choose`: asks there who one is, whoever is signed in.
 */
export async function signInUrl(provider: Provider, returnTo: string, { choose = false } = {}): Promise<string> {
  const begun: Begun = { state: random(), nonce: random(), verifier: random(), returnTo };
  sessionStorage.setItem(KEY, JSON.stringify(begun));
  const url = new URL(provider.authorization_url);
  const asked = {
    response_type: "code",
    client_id: provider.client_id,
    redirect_uri: location.origin + RETURN_PATH,
    scope: provider.scope,
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: await challengeOf(begun.verifier),
    code_challenge_method: "S256",
    ...(choose ? { prompt: "select_account" } : {}),
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  return url.href;
}

/** What the identity provider sent somebody back with, changed for tokens. Raises `SignInFailed`; works once. */
export async function finishSignIn(provider: Provider, answer: URLSearchParams): Promise<AdoptedTokens & { returnTo: string }> {
  const begun = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Begun | null;
  sessionStorage.removeItem(KEY);
  // Not begun in this tab: a link of somebody else's, who would sign this person in as themselves.
  if (!begun || answer.get("state") !== begun.state) throw new SignInFailed("not_begun_here");
  const said = answer.get("error");
  if (said) throw new SignInFailed(said);
  if ((answer.get("iss") ?? provider.issuer) !== provider.issuer) throw new SignInFailed("another_issuer");
  const tokens = await ask(provider, {
    grant_type: "authorization_code",
    code: answer.get("code") ?? "",
    redirect_uri: location.origin + RETURN_PATH,
    code_verifier: begun.verifier,
  });
  const claims = claimsOf(tokens.id_token);
  const audience = [claims.aud].flat();
  if (claims.nonce !== begun.nonce || claims.iss !== provider.issuer || !audience.includes(provider.client_id)) {
    throw new SignInFailed("another_sign_in");
  }
  return { ...adopted(provider, tokens), returnTo: begun.returnTo.startsWith("/console") ? begun.returnTo : "/console" };
}

/** The next token; the stack's own word says where to ask. */
export async function renewSignIn(refresh: string): Promise<AdoptedTokens> {
  const config = await unwrap(createBillingClient().GET("/billing/config"));
  if (!config.identity_provider) throw new ApiError(400, "not_renewable", "there is no identity provider any more");
  const tokens = await ask(config.identity_provider, { grant_type: "refresh_token", refresh_token: refresh });
  const next = adopted(config.identity_provider, tokens);
  return { ...next, refresh: next.refresh ?? refresh };
}

/**
 * Leads whoever has signed out here to where the session at the identity provider ends, and from there back to the
 * sign-in; a token that is not the identity provider's has no session there.
 */
export async function endSignIn(token: string): Promise<void> {
  const { identity_provider: provider } = await unwrap(createBillingClient().GET("/billing/config"));
  if (!provider?.end_session_url || claimsOf(token).iss !== provider.issuer) return;
  const url = new URL(provider.end_session_url);
  url.searchParams.set("client_id", provider.client_id);
  url.searchParams.set("post_logout_redirect_uri", `${location.origin}/console`);
  if (provider.token === "id") url.searchParams.set("id_token_hint", token);
  location.assign(url.href);
}

interface Tokens {
  id_token?: string;
  access_token?: string;
  refresh_token?: string;
}

/** Raises `ApiError`: 400 is a no of the identity provider's, 0 that it was not reached. */
async function ask(provider: Provider, form: Readonly<Record<string, string>>): Promise<Tokens> {
  const body = new URLSearchParams({ client_id: provider.client_id, ...form });
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(provider.token_url, { method: "POST", body, signal, credentials: "omit" }).catch(() => null);
  const said = (await answer?.json().catch(() => null)) as (Tokens & { error?: string }) | null;
  if (answer?.ok && said) return said;
  const error = said?.error;
  // RFC 6749, 5.2: a no comes with one of these. One that is throttled or out of order has refused nothing.
  const refused = [400, 401].includes(answer?.status ?? 0) && typeof error === "string" && !PASSING.includes(error);
  throw new ApiError(refused ? 400 : 0, refused ? error : "network", "the identity provider did not give a token");
}

function adopted(provider: Provider, tokens: Tokens): AdoptedTokens {
  const token = provider.token === "id" ? tokens.id_token : tokens.access_token;
  if (!token) throw new ApiError(400, "no_token", "the identity provider answered without a token");
  return { token, refresh: tokens.refresh_token ?? null };
}

function claimsOf(token: string | undefined): Record<string, unknown> {
  try {
    const payload = (token?.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(payload)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=/g, "");

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function challengeOf(verifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}
