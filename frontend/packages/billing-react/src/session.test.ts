// @vitest-environment happy-dom
import { ApiError } from "@bitsleuth/billing-api-client";
import { schnorr } from "@noble/curves/secp256k1.js";
import { expect, test, vi } from "vitest";
import { createSession, SignerRefused, type NostrEvent, type Signer } from "./session.js";
import {
  billingKeySigner,
  exportBillingKey,
  extensionSigner,
  forgetBillingKey,
  hasBillingKey,
  keptKeys,
  lockBackup,
  noteKey,
  restoreBillingKey,
  signerOf,
  unlockBackup,
} from "./signers/index.js";
import { API, refuse, service } from "./testing/server.js";

const api = service();
const encode = (claims: object) => `e30.${btoa(JSON.stringify(claims)).replace(/=/g, "")}.sig`;
const tokens = (sub: string, expires_at: string) => ({
  session_token: encode({ sub }),
  expires_at,
  refresh_token: `refresh-${sub}-0123456789`,
  user_id: sub,
});
const unhex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

test("signing in sends an event that any verifier accepts, for this call and this body only", async () => {
  api.answers({ "POST /auth/nostr": tokens("usr_1", "2099-01-01T00:00:00Z") });
  const session = createSession({ apiUrl: API, now: () => 1_800_000_000_500 });
  await session.signIn(await billingKeySigner());
  expect(session.userId).toBe("usr_1");
  const event = JSON.parse(atob(api.calls[0]?.authorization?.replace("Nostr ", "") ?? "")) as NostrEvent & { id: string; pubkey: string; sig: string };
  const hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; // SHA-256 of {}
  expect(event).toMatchObject({ kind: 27235, created_at: 1_800_000_000, tags: [["u", `${API}/auth/nostr`], ["method", "POST"], ["payload", hash]] });
  const serialized = JSON.stringify([0, event.pubkey, event.created_at, event.kind, event.tags, event.content]);
  const id = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(serialized)));
  expect(event.id).toBe(Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join(""));
  expect(schnorr.verify(unhex(event.sig), id, unhex(event.pubkey))).toBe(true);
});

const stored = (expiresAt: number, refresh: string | null = "refresh-0123456789abcdef") =>
  localStorage.setItem("bitsleuth-billing-session", JSON.stringify({ token: encode({ sub: "usr_1" }), refresh, expiresAt }));

test("a token near its end is renewed once, however many ask", async () => {
  stored(100_000);
  api.answers({ "POST /auth/refresh": tokens("usr_1", "2099-01-01T00:00:00Z") });
  const session = createSession({ apiUrl: API, now: () => 90_000 });
  const [one, two] = await Promise.all([session.token(), session.token()]);
  expect(one).toBe(two);
  expect(one).toBe(tokens("usr_1", "").session_token);
  expect(api.calls.length).toBe(1);
});

test("a token that another tab has renewed is taken from there, and its signing out is followed", async () => {
  stored(100_000);
  const session = createSession({ apiUrl: API, now: () => 90_000 });
  const seen: (string | null)[] = [];
  session.subscribe(() => seen.push(session.userId));
  const renewed = encode({ sub: "usr_1", renewed: true });
  localStorage.setItem("bitsleuth-billing-session", JSON.stringify({ token: renewed, refresh: "next", expiresAt: 900_000 }));
  expect(await session.token()).toBe(renewed);
  stored(100_000);
  const other = createSession({ apiUrl: API, now: () => 90_000 });
  localStorage.removeItem("bitsleuth-billing-session");
  expect(await other.token()).toBeNull();
  expect(other.userId).toBeNull();
  expect(seen).toEqual(["usr_1"]);
  expect(api.calls).toEqual([]);
});

test("a refused renewal signs out; a service that is away does not", async () => {
  stored(100_000);
  api.answers({ "POST /auth/refresh": () => new Response("{}", { status: 503 }) });
  const away = createSession({ apiUrl: API, now: () => 90_000 });
  expect(await away.token()).not.toBeNull();
  expect(away.userId).toBe("usr_1");
  api.answers({ "POST /auth/refresh": () => new Response("{}", { status: 401 }) });
  expect(await away.token()).toBeNull();
  expect(away.userId).toBeNull();
});

test("a sign-out in another tab is seen at once", () => {
  stored(1_000_000);
  const session = createSession({ apiUrl: API, now: () => 90_000 });
  const changed = vi.fn();
  session.subscribe(changed);
  localStorage.clear();
  dispatchEvent(new StorageEvent("storage", { key: null }));
  expect(session.userId).toBeNull();
  expect(changed).toHaveBeenCalledOnce();
});

test("signing out ends the sign-in here at once and at the service, also when that is away", async () => {
  stored(100_000);
  api.answers({ "POST /auth/sign-out": () => Response.error() });
  const session = createSession({ apiUrl: API, now: () => 1000 });
  session.signOut();
  expect(session.userId).toBeNull();
  expect(localStorage.getItem("bitsleuth-billing-session")).toBeNull();
  await vi.waitFor(() => expect(api.calls).toMatchObject([{ call: "POST /auth/sign-out", body: { refresh_token: "refresh-0123456789abcdef" } }]));
  expect(await session.token()).toBeNull();
});

test("signing out while a token is being renewed stays signed out", async () => {
  stored(100_000);
  let answer = () => {};
  const renewed = new Promise<void>((resolve) => (answer = resolve));
  api.answers({ "POST /auth/sign-out": {}, "POST /auth/refresh": () => renewed.then(() => tokens("usr_1", "2099-01-01T00:00:00Z")) });
  const session = createSession({ apiUrl: API, now: () => 90_000 });
  const asked = session.token();
  session.signOut();
  answer();
  expect(await asked).toBeNull();
  expect(session.userId).toBeNull();
});

test("a token of elsewhere ends without renewal", async () => {
  const session = createSession({ apiUrl: API, now: () => 1000 });
  session.adopt(encode({ sub: "usr_dev", exp: 2 }));
  expect(await session.token()).not.toBeNull();
  const later = createSession({ apiUrl: API, now: () => 3000 });
  expect(await later.token()).toBeNull();
});

test("a backed-up key can be lost and restored; a mistyped backup is refused", async () => {
  await billingKeySigner();
  const backup = (await exportBillingKey()) ?? "";
  expect(backup).toMatch(/^bsk1[0-9a-f]{72}$/);
  expect(forgetBillingKey(), "it may hold something, and was never saved").toBe(false);
  expect(await exportBillingKey()).toBe(backup);
  noteKey(keptKeys()[0]?.secret ?? "", { saved: true });
  expect(forgetBillingKey()).toBe(true);
  expect(hasBillingKey()).toBe(false);
  const last = backup.endsWith("0") ? "1" : "0";
  expect(await restoreBillingKey(backup.slice(0, -1) + last)).toBe(false);
  expect(await restoreBillingKey("bsk1")).toBe(false);
  expect(hasBillingKey()).toBe(false);
  expect(await restoreBillingKey(` ${backup.toUpperCase()}\n`)).toBe(true);
  expect(await exportBillingKey()).toBe(backup);
});

test("an extension that declines, or answers nothing, has refused; the service is not asked", async () => {
  expect(extensionSigner()).toBeNull();
  const session = createSession({ apiUrl: API });
  for (const signEvent of [() => Promise.reject(new Error("User rejected")), () => Promise.resolve(null)]) {
    vi.stubGlobal("nostr", { signEvent });
    await expect(session.signIn(extensionSigner() as Signer)).rejects.toBeInstanceOf(SignerRefused);
  }
  vi.unstubAllGlobals();
  expect(api.calls).toEqual([]);
  expect(session.userId).toBeNull();
});

test("a signature that the service does not accept is told as that, not as a sign-in that ended", async () => {
  api.answers({ "POST /auth/nostr": () => refuse(401, "not_authenticated") });
  const session = createSession({ apiUrl: API });
  await expect(session.signIn(await billingKeySigner())).rejects.toMatchObject({ status: 401, code: "signature_refused" });
});

test("a backup that is pasted stands beside the unsaved key of a paid plan, and takes nothing away", async () => {
  await billingKeySigner("0b".repeat(32));
  const other = (await exportBillingKey()) ?? "";
  localStorage.clear();
  await billingKeySigner();
  const [paid] = keptKeys();
  noteKey(paid?.secret ?? "", { userId: "usr_paid", plan: "Pro", holds: true });
  expect(await restoreBillingKey(other)).toBe(true);
  expect(await exportBillingKey()).toBe(other);
  expect(keptKeys().map(({ plan, saved }) => [plan, saved])).toEqual([
    [null, true],
    ["Pro", false],
  ]);
  expect(forgetBillingKey(paid?.secret)).toBe(false);
  expect(keptKeys()).toHaveLength(2);
});

test("a key that was kept alone, as before, is taken over; one with nothing on it may go", async () => {
  localStorage.setItem("bitsleuth-billing-key", "07".repeat(32));
  expect(keptKeys()).toEqual([{ secret: "07".repeat(32), saved: false, userId: null, plan: null, holds: null }]);
  noteKey("07".repeat(32), { userId: "usr_1", holds: false });
  expect(localStorage.getItem("bitsleuth-billing-key")).toBeNull();
  expect(forgetBillingKey()).toBe(true);
  expect(hasBillingKey()).toBe(false);
});

test("a locked backup opens with its passphrase alone", async () => {
  const locked = await lockBackup("bsk1abc", "correct horse");
  expect(locked).toMatch(/^bsx1[0-9a-f]+$/);
  expect(await unlockBackup(` ${locked} `, "correct horse")).toBe("bsk1abc");
  expect(await unlockBackup(locked, "wrong")).toBeNull();
});

test("a sign-in that ended leads back to its own account, whichever key was used since", async () => {
  api.answers({ "POST /auth/nostr": tokens("usr_1", "2099-01-01T00:00:00Z"), "POST /auth/refresh": () => refuse(401, "not_authenticated") });
  const session = createSession({ apiUrl: API });
  await session.signIn(await billingKeySigner());
  const first = session.signedInWith?.pubkey;
  session.rejected?.((await session.token()) ?? "");
  await vi.waitFor(() => expect(session.userId).toBeNull());
  expect(session.ended).toEqual({ userId: "usr_1", by: { name: "billing-key", pubkey: first } });
  await billingKeySigner("0b".repeat(32));
  const signer = await signerOf(session.ended, null);
  expect(await signer.pubkey?.()).toBe(first);
  await session.signIn(signer);
  expect([session.userId, session.ended]).toEqual(["usr_1", null]);
  session.signOut();
  expect(session.ended).toBeNull();
});

test("a token that was refused is renewed once, and the sign-in goes on", async () => {
  stored(Date.now() + 3_600_000);
  api.answers({ "POST /auth/refresh": tokens("usr_1", "2099-01-01T00:00:00Z") });
  const session = createSession({ apiUrl: API });
  const old = (await session.token()) ?? "";
  session.rejected?.(old);
  session.rejected?.(old);
  const renewed = await session.token();
  expect(renewed).toBe(tokens("usr_1", "").session_token);
  expect(api.calls).toHaveLength(1);
  session.rejected?.(renewed ?? "");
  expect(session.userId, "refused again at once: it is over").toBeNull();
});

test("a token made elsewhere is renewed by whoever brought it, until that is refused", async () => {
  const expiring = (exp: number) => encode({ sub: "usr_staff", exp });
  const renewAdopted = vi.fn(() => Promise.resolve({ token: expiring(2_000), refresh: "r2" as string | null }));
  let now = 900_000;
  const session = createSession({ apiUrl: API, now: () => now, renewAdopted });
  session.adopt(expiring(1_000), "r1");
  expect(await session.token()).toBe(expiring(1_000));
  expect(renewAdopted).not.toHaveBeenCalled();
  now = 980_000;
  expect(await session.token()).toBe(expiring(2_000));
  expect(renewAdopted).toHaveBeenLastCalledWith("r1");
  now = 1_980_000;
  renewAdopted.mockRejectedValueOnce(new Error("away"));
  expect(await session.token()).toBe(expiring(2_000)); // silence ends nothing
  expect(renewAdopted).toHaveBeenLastCalledWith("r2");
  renewAdopted.mockRejectedValueOnce(new ApiError(400, "invalid_grant", "no"));
  expect(await session.token()).toBe(null);
  expect(session.ended).toEqual({ userId: "usr_staff", by: null });
  expect(api.calls).toEqual([]);
});
