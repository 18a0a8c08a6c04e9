import { createHmac } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { createVerifier, InvalidToken } from "./node.js";
import { Issuer, NOW } from "./testing.js";

const issuer = new Issuer();
const verifier = (now = NOW) => createVerifier({ keys: issuer.keys, now: () => now });

function b64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

describe("a token", () => {
  it("says what its user has", async () => {
    const claims = await verifier().verify(issuer.token({ f: { "ai.chat": { limit: 5, remaining: 4 } } }));
    expect(claims).toMatchObject({ sub: "usr_1", plan: "plus", f: { "ai.chat": { remaining: 4 } } });
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>?]>([
    ["for somebody else", { aud: "other" }],
    ["for nobody", { aud: undefined }],
    ["of another issuer", { iss: "dev" }],
    ["that has ended", { exp: NOW }],
    ["without an end", { exp: undefined }],
    ["with a text for a time", { exp: String(NOW + 60) }],
    ["that is not valid yet", { nbf: NOW + 11 }],
    ["from the future", { iat: NOW + 11 }],
    ["without features", { f: undefined }],
    ["without a user", { sub: undefined }],
    ["of another kind", {}, { typ: "session+jwt" }],
    ["of an unknown key", {}, { kid: "k2" }],
    ["with a critical extension", {}, { crit: ["b64"] }],
    ["of another algorithm", {}, { alg: "ES384" }],
  ])("%s is refused, although truly signed", async (_, claims, header) => {
    await expect(verifier().verify(issuer.token(claims, header))).rejects.toThrow(InvalidToken);
  });

  it("of a clock slightly ahead is accepted", async () => {
    await expect(verifier(NOW - 10).verify(issuer.token())).resolves.toBeDefined();
  });

  it("without a signature, or with one made from the public key, is refused", async () => {
    const [, body] = issuer.token().split(".");
    const none = `${b64({ alg: "none", typ: "entitlements+jwt", kid: "k1" })}.${body ?? ""}`;
    const hmac = `${b64({ alg: "HS256", typ: "entitlements+jwt", kid: "k1" })}.${body ?? ""}`;
    const mac = createHmac("sha256", JSON.stringify(issuer.jwk)).update(hmac).digest("base64url");
    for (const token of [`${none}.`, `${none}.AAAA`, `${hmac}.${mac}`]) {
      await expect(verifier().verify(token)).rejects.toThrow(InvalidToken);
    }
  });

  it("that was changed anywhere is refused", async () => {
    const token = issuer.token();
    for (let at = 0; at < token.length - 1; at += 11) {
      if (token[at] === ".") continue;
      const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      await expect(verifier().verify(changed)).rejects.toThrow(InvalidToken);
    }
  });

  it.each(["", "a", "a.b", "a.b.c", "a.b.c.d", "..", "x".repeat(4097), "bnVsbA.bnVsbA.bnVsbA"])("%j is none", async (text) => {
    await expect(verifier().verify(text)).rejects.toThrow(InvalidToken);
  });
});

describe("the cache of verified tokens", () => {
  it("answers again without a look at the key, and still ends with the token", async () => {
    let now = NOW;
    const cached = createVerifier({ keys: issuer.keys, now: () => now });
    const token = issuer.token();
    expect(await cached.verify(token)).toBe(await cached.verify(token));
    now = NOW + 300;
    await expect(cached.verify(token)).rejects.toThrow("expired");
  });

  it("keeps the tokens that are used and drops the others", async () => {
    const small = createVerifier({ keys: issuer.keys, now: () => NOW, cacheSize: 2 });
    const [a, b, c] = ["a", "b", "c"].map((sub) => issuer.token({ sub })) as [string, string, string];
    const first = await small.verify(a);
    const second = await small.verify(b);
    await small.verify(a);
    await small.verify(c);
    expect(await small.verify(a)).toBe(first);
    expect(await small.verify(b)).not.toBe(second);
  });
});

describe("the published key set", () => {
  function published(...issuers: Issuer[]) {
    const set = { keys: issuers.map((i) => i.jwk), down: false };
    const fetch = vi.fn(() => {
      if (set.down) throw new TypeError("fetch failed");
      return Promise.resolve(Response.json({ keys: set.keys }));
    });
    let now = NOW;
    const options = { keys: "https://billing.example/jwks", fetch, now: () => now };
    return { set, fetch, later: (s: number) => (now += s), ...createVerifier(options) };
  }

  it("is read once for many tokens, also for many at the same time", async () => {
    const { fetch, verify } = published(issuer);
    await Promise.all(["a", "b", "c"].map((sub) => verify(issuer.token({ sub }))));
    await verify(issuer.token({ sub: "d" }));
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it("is read again for a key it lacks, so a rotation in mid-flight is followed", async () => {
    const { set, fetch, later, verify } = published(issuer);
    const next = new Issuer("k2");
    await verify(issuer.token());
    set.keys = [next.jwk, issuer.jwk];
    later(10);
    await expect(verify(next.token())).resolves.toBeDefined();
    await expect(verify(issuer.token({ sub: "old" }))).resolves.toBeDefined();
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it("is not read again and again for made-up keys", async () => {
    const { fetch, verify } = published(issuer);
    await verify(issuer.token());
    for (let n = 0; n < 20; n++) await expect(verify(issuer.token({}, { kid: `x${String(n)}` }))).rejects.toThrow(InvalidToken);
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it("is done without while it cannot be read, as long as the key is known", async () => {
    const { set, later, verify } = published(issuer);
    await verify(issuer.token({ exp: NOW + 9999 }));
    set.down = true;
    later(1000);
    await expect(verify(issuer.token({ sub: "b", exp: NOW + 9999 }))).resolves.toBeDefined();
  });

  it("that lost a key takes away what was verified with it, however long that would live", async () => {
    const { set, later, fetch, verify, subjectOf } = published(issuer);
    const token = issuer.token({ exp: NOW + 10 ** 8 });
    const session = issuer.token({ aud: "bitsleuth-billing", exp: NOW + 10 ** 8 }, { typ: "session+jwt" });
    await Promise.all([verify(token), subjectOf(session)]);
    set.keys = [new Issuer("k2").jwk];
    later(301);
    await verify(token); // the set is read beside it
    await vi.waitFor(() => expect(verify(token)).rejects.toThrow("unknown key"));
    expect(fetch).toHaveBeenCalledTimes(2);
    await expect(subjectOf(session)).rejects.toThrow("unknown key");
  });

  it("that was never read lets nobody in, and is not mistaken for a bad token", async () => {
    const { set, verify } = published(issuer);
    set.down = true;
    await expect(verify(issuer.token())).rejects.toThrow("the key set could not be read");
    // Nor a moment later, when it is not even asked for.
    await expect(verify(issuer.token())).rejects.toThrow("the key set could not be read");
  });
});
