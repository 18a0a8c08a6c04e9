// @vitest-environment happy-dom
import { schnorr } from "@noble/curves/secp256k1.js";
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { SignIn } from "./components/SignIn.js";
import { StartFree } from "./components/StartFree.js";
import { createSession, hex } from "./session.js";
import { hasBillingKey, nsecSigner } from "./signers/index.js";
import { entitlements } from "./testing/fixtures.js";
import { API, service, show } from "./testing/server.js";

const api = service();
/** The example of NIP-19. */
const NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
const PUBKEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
const EVENT = { kind: 27235, created_at: 1, tags: [["u", "x"]], content: "" };
const tokens = {
  session_token: `e30.${btoa(JSON.stringify({ sub: "usr_1" }))}.sig`,
  refresh_token: "r",
  expires_at: "2099-01-01T00:00:00Z",
};

test("a host's key signs as itself", async () => {
  const signer = nsecSigner(NSEC);
  expect(await signer.pubkey?.()).toBe(PUBKEY);
  const { id, sig, pubkey } = await signer.sign(EVENT);
  const bytes = (digits: string) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  expect([pubkey, schnorr.verify(bytes(sig), bytes(id), bytes(pubkey))]).toEqual([PUBKEY, true]);
  expect(hex(bytes(id))).toBe(id);
});

test.each(["", "npub1abc", NSEC.replace("vl029", "vl028"), NSEC.slice(0, -1), "nsec1"])("%j is no key", (text) => {
  expect(() => nsecSigner(text)).toThrow("nsec1");
});

test.each([
  ["starting for free", <StartFree key="f" onStarting={() => {}} onStarted={() => {}} />, "Start for free"],
  ["signing in", <SignIn key="s" />, "Continue with your Nostr key"],
])("%s uses the host's key and makes none", async (_, part, button) => {
  api.answers({ "POST /auth/nostr": tokens, "GET /billing/entitlements": entitlements() });
  const session = createSession({ apiUrl: API });
  show(part, null, { session, signer: nsecSigner(NSEC) });
  await userEvent.click(screen.getByRole("button", { name: button }));
  await vi.waitFor(() => expect(session.userId).toBe("usr_1"));
  expect([hasBillingKey(), session.signedInWith]).toEqual([false, { name: "host", pubkey: PUBKEY }]);
  expect(screen.queryByRole("button", { name: "Create a billing key" })).toBeNull();
});

test("who took another key at the host does not go on as the one before", async () => {
  api.answers({ "POST /auth/nostr": tokens, "POST /auth/sign-out": {}, "GET /billing/entitlements": entitlements() });
  const session = createSession({ apiUrl: API });
  await session.signIn({ ...nsecSigner(NSEC), sign: async (event) => ({ ...event, id: "1", sig: "2", pubkey: "other" }) });
  show(<p>page</p>, null, { session, signer: nsecSigner(NSEC) });
  await vi.waitFor(() => expect(session.userId).toBeNull());
});

test("a billing key that was there before the host's stays signed in: what was bought belongs to it", async () => {
  api.answers({ "POST /auth/nostr": tokens, "GET /billing/entitlements": entitlements() });
  const session = createSession({ apiUrl: API });
  const sign = async (event: typeof EVENT) => ({ ...event, id: "1", sig: "2", pubkey: "other" });
  await session.signIn({ name: "billing-key", sign });
  show(<p>page</p>, null, { session, signer: nsecSigner(NSEC) });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(session.userId).toBe("usr_1");
});
