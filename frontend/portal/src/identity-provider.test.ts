// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { endSignIn, finishSignIn, renewSignIn, RETURN_PATH, signInUrl, type Provider } from "./identity-provider.js";

const PROVIDER: Provider = {
  issuer: "https://id.example",
  client_id: "portal",
  authorization_url: "https://id.example/authorize?tenant=1",
  token_url: "https://id.example/token",
  end_session_url: "https://id.example/logout?tenant=1",
  scope: "openid offline_access",
  token: "id",
};
const fetched = vi.fn<typeof fetch>();
beforeEach(() => {
  sessionStorage.clear();
  fetched.mockReset();
  vi.stubGlobal("fetch", fetched);
});

const jwt = (claims: object) => `e30.${btoa(JSON.stringify(claims)).replace(/=/g, "")}.sig`;
const answers = (body: object, status = 200) => fetched.mockResolvedValueOnce(new Response(JSON.stringify(body), { status }));
const form = () => new URLSearchParams(fetched.mock.lastCall?.[1]?.body as URLSearchParams);
const began = async () => new URL(await signInUrl(PROVIDER, "/console/users?user=usr_1")).searchParams;
const back = (asked: URLSearchParams, other: Record<string, string> = {}) =>
  new URLSearchParams({ code: "c1", state: asked.get("state") ?? "", iss: PROVIDER.issuer, ...other });
const claims = (asked: URLSearchParams, other: object = {}) => ({ iss: PROVIDER.issuer, aud: "portal", sub: "me", nonce: asked.get("nonce"), ...other });

test("the way there asks for a code with a challenge, and the way back gives the verifier that belongs to it", async () => {
  const asked = await began();
  expect(Object.fromEntries(asked)).toMatchObject({
    tenant: "1",
    response_type: "code",
    client_id: "portal",
    scope: "openid offline_access",
    redirect_uri: location.origin + RETURN_PATH,
    code_challenge_method: "S256",
  });
  const id_token = jwt(claims(asked));
  answers({ id_token, access_token: "opaque", refresh_token: "r1" });
  expect(await finishSignIn(PROVIDER, back(asked))).toEqual({ token: id_token, refresh: "r1", returnTo: "/console/users?user=usr_1" });
  expect(fetched.mock.lastCall?.[0]).toBe(PROVIDER.token_url);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(form().get("code_verifier") ?? "")));
  const challenge = btoa(String.fromCharCode(...digest)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  expect(challenge).toBe(asked.get("code_challenge"));
  expect((await began()).get("state")).not.toBe(asked.get("state"));
});

test("what was not begun in this tab is not finished in it, and nothing is finished twice", async () => {
  await expect(finishSignIn(PROVIDER, new URLSearchParams({ code: "theirs", state: "theirs" }))).rejects.toMatchObject({ code: "not_begun_here" });
  const asked = await began();
  await expect(finishSignIn(PROVIDER, back(asked, { state: "theirs" }))).rejects.toMatchObject({ code: "not_begun_here" });
  await expect(finishSignIn(PROVIDER, back(asked))).rejects.toMatchObject({ code: "not_begun_here" });
  expect(fetched).not.toHaveBeenCalled();
});

test.each([
  ["another nonce", { nonce: "theirs" }],
  ["another issuer", { iss: "https://elsewhere.example" }],
  ["another client", { aud: ["somebody-else"] }],
])("a token with %s is refused", async (_, wrong) => {
  const asked = await began();
  answers({ id_token: jwt(claims(asked, wrong)) });
  await expect(finishSignIn(PROVIDER, back(asked))).rejects.toMatchObject({ code: "another_sign_in" });
});

test("an answer that another issuer gave, or that declines, is never changed for a token", async () => {
  await expect(finishSignIn(PROVIDER, back(await began(), { iss: "https://elsewhere.example" }))).rejects.toMatchObject({ code: "another_issuer" });
  await expect(finishSignIn(PROVIDER, back(await began(), { error: "access_denied" }))).rejects.toMatchObject({ code: "access_denied" });
  expect(fetched).not.toHaveBeenCalled();
});

test("a refusal is told from silence", async () => {
  answers({ error: "invalid_grant" }, 400);
  await expect(finishSignIn(PROVIDER, back(await began()))).rejects.toMatchObject({ status: 400, code: "invalid_grant" });
  fetched.mockRejectedValueOnce(new TypeError("no network"));
  await expect(finishSignIn(PROVIDER, back(await began()))).rejects.toMatchObject({ status: 0 });
  answers({ error: "too_many_requests" }, 429);
  await expect(finishSignIn(PROVIDER, back(await began()))).rejects.toMatchObject({ status: 0 });
  answers({ error: "temporarily_unavailable" }, 400);
  await expect(finishSignIn(PROVIDER, back(await began()))).rejects.toMatchObject({ status: 0 });
  fetched.mockResolvedValueOnce(new Response("<html>", { status: 502 }));
  await expect(finishSignIn(PROVIDER, back(await began()))).rejects.toMatchObject({ status: 0 });
});

test("an API with an audience of its own gets the access token", async () => {
  const asked = await began();
  answers({ id_token: jwt(claims(asked)), access_token: "for-the-api" });
  expect(await finishSignIn({ ...PROVIDER, token: "access" }, back(asked))).toMatchObject({ token: "for-the-api", refresh: null });
});

test("a sign-in is renewed where the stack says, and not without the token that is ours", async () => {
  const api = () => fetched.mockResolvedValueOnce(new Response(JSON.stringify({ identity_provider: PROVIDER }), { headers: { "content-type": "application/json" } }));
  api();
  answers({ id_token: "next", refresh_token: "r2" });
  expect(await renewSignIn("r1")).toEqual({ token: "next", refresh: "r2" });
  expect(form().get("refresh_token")).toBe("r1");
  api();
  answers({ access_token: "only" });
  await expect(renewSignIn("r2")).rejects.toMatchObject({ status: 400 });
});

test.each([
  ["a token of its own", PROVIDER, { iss: PROVIDER.issuer }, true],
  ["an access token, which stays out of the address", { ...PROVIDER, token: "access" as const }, { iss: PROVIDER.issuer }, true],
  ["a token of somebody else's", PROVIDER, { iss: "billing-local" }, false],
  ["no such address", { ...PROVIDER, end_session_url: "" }, { iss: PROVIDER.issuer }, false],
])("whoever signs out with %s", async (_, provider, said, leads) => {
  const assign = vi.spyOn(location, "assign").mockReset().mockImplementation(() => undefined);
  answers({ identity_provider: provider });
  await endSignIn(jwt(said));
  expect(assign).toHaveBeenCalledTimes(leads ? 1 : 0);
  if (!leads) return;
  expect(Object.fromEntries(new URL(String(assign.mock.lastCall?.[0])).searchParams)).toEqual({
    tenant: "1",
    client_id: "portal",
    post_logout_redirect_uri: `${location.origin}/console`,
    ...(provider.token === "id" ? { id_token_hint: jwt(said) } : {}),
  });
});
