import { describe, expect, it } from "vitest";
import { can, grantOf, isFlagOn, place, type EntitlementClaims, type FeatureClaim } from "./index.js";

const NOW = 1_800_000_000;

function having(f: Record<string, FeatureClaim>): EntitlementClaims {
  return { sub: "usr_1", plan: "plus", ver: 1, f, iat: NOW, exp: NOW + 300 };
}

describe("can", () => {
  it("opens what the token names, and nothing else", () => {
    const claims = having({ "tax.enhanced": true, "wallets.max": 5, off: false, none: 0 });
    expect(["tax.enhanced", "wallets.max", "off", "none", "ai.chat"].map((f) => can(claims, f, NOW))).toEqual([
      true, true, false, false, false,
    ]);
    expect(grantOf(claims, "wallets.max", NOW)).toBe(5);
  });

  it("is not fooled by names every object has", () => {
    for (const feature of ["constructor", "__proto__", "toString"]) expect(can(having({}), feature, NOW)).toBe(false);
  });

  it("closes with the end of the token and without one", () => {
    expect(can(having({ a: true }), "a", NOW + 299)).toBe(true);
    expect(can(having({ a: true }), "a", NOW + 300)).toBe(false);
    expect(can(null, "a", NOW)).toBe(false);
  });

  it("closes when the allowance is used up, counting what the token does not know yet", () => {
    const claims = having({ a: { limit: 5, remaining: 2 } });
    expect([0, 1, 2].map((used) => can(claims, "a", NOW, used))).toEqual([true, true, false]);
  });

  it("opens again at the reset", () => {
    const claims = having({ a: { limit: 5, remaining: 0, resets_at: NOW + 60 } });
    expect([NOW + 59, NOW + 60].map((now) => can(claims, "a", now))).toEqual([false, true]);
  });

  it("opens for no more than a whole allowance after the reset", () => {
    const claims = having({ a: { limit: 5, remaining: 0, resets_at: NOW + 60 } });
    expect([4, 5].map((used) => can(claims, "a", NOW + 60, used))).toEqual([true, false]);
  });
});

describe("flags", () => {
  it("puts a user where the service puts them", () => {
    // Computed by billing/rules/rollout.py.
    expect([place("salt", "billing", "usr_1"), place("salt", "billing", "usr_2"), place("s", "ü", "usr_3")]).toEqual([
      84, 43, 80,
    ]);
  });

  it("leaves a host as it was at 0 %, and without a document", () => {
    const off = { salt: "s", flags: { billing: { percent: 0, allow: ["usr_friend"] } } };
    const users = Array.from({ length: 500 }, (_, n) => `usr_${String(n)}`);
    expect(users.some((user) => isFlagOn(off, "billing", user))).toBe(false);
    expect(isFlagOn(off, "billing", "usr_friend")).toBe(true);
    expect(isFlagOn(off, "unknown", "usr_1")).toBe(false);
    expect(isFlagOn(off, "toString", "usr_1")).toBe(false);
    expect(isFlagOn(null, "billing", "usr_1")).toBe(false);
  });

  it("keeps everybody it reached while the percentage grows", () => {
    const at = (percent: number) => ({ salt: "s", flags: { billing: { percent, allow: [] } } });
    const users = Array.from({ length: 2000 }, (_, n) => `usr_${String(n)}`);
    const reached = (percent: number) => users.filter((user) => isFlagOn(at(percent), "billing", user));
    expect(reached(30).length / users.length).toBeCloseTo(0.3, 1);
    expect(reached(60)).toEqual(expect.arrayContaining(reached(30)));
    expect(reached(100)).toEqual(users);
  });
});
