/** What the tests share: an issuer with real keys, and a billing service that answers from memory. */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import type { FeatureClaim } from "./claims.js";
import type { CookieJar } from "./cookies.js";
import type { KeySet } from "./node.js";
import { paywallProblem } from "./problem.js";
import type { Rollout } from "./rollout.js";

export const NOW = 1_800_000_000;

export interface Claims extends Record<string, unknown> {
  f: Record<string, FeatureClaim>;
}

export class Issuer {
  readonly #private: KeyObject;
  readonly jwk: KeySet["keys"][number];

  constructor(readonly kid = "k1") {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#private = privateKey;
    this.jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  }

  get keys(): KeySet {
    return { keys: [this.jwk] };
  }

  /** A token with a true signature and whatever claims and header are asked for; undefined leaves one out. */
  token(changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
    const claims = {
      iss: "bitsleuth-billing",
      aud: "bitsleuth-analyzer",
      sub: "usr_1",
      plan: "plus",
      ver: 1,
      f: { "ai.insights": true },
      iat: NOW,
      nbf: NOW,
      exp: NOW + 300,
      ...changes,
    };
    const signed = [{ alg: "ES256", typ: "entitlements+jwt", kid: this.kid, ...header }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const signature = sign("sha256", Buffer.from(signed), { key: this.#private, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  }
}

/** The billing API as a gate sees it: what the user has can change between two calls. */
export class FakeService {
  readonly issuer = new Issuer();
  readonly calls: string[] = [];
  readonly used: Record<string, unknown>[] = [];
  features: Record<string, FeatureClaim> = {};
  /** Of the account: it grows with each change. */
  version = 1;
  now = NOW;
  down = false;
  /** Whether a proxy's page answers in its place. */
  garbled = false;
  session = this.issuer.token({ aud: "bitsleuth-billing", exp: NOW + 900 }, { typ: "session+jwt" });
  /** The rollout document; null: it cannot be read. */
  rollout: Rollout | null = null;

  readonly fetch: typeof globalThis.fetch = async (input, init = {}) => {
    const url = new URL(String(input));
    this.calls.push(`${init.method ?? "GET"} ${url.pathname}`);
    await Promise.resolve();
    if (this.down) throw new TypeError("fetch failed");
    if (url.pathname === "/.well-known/jwks.json") return Response.json(this.issuer.keys);
    if (url.pathname === "/billing/config") return Response.json(this.rollout, { status: this.rollout ? 200 : 500 });
    if (this.garbled) return new Response("<html>", { status: 200 });
    if (new Headers(init.headers).get("authorization") !== `Bearer ${this.session}`) return new Response("{}", { status: 401 });
    if (url.pathname === "/billing/entitlements") return Response.json({ token: this.token() });
    if (url.pathname === "/billing/usage") return this.#use(JSON.parse(String(init.body)) as Record<string, unknown>);
    return this.#refuse(url.pathname.split("/").at(-1) ?? "");
  };

  token(): string {
    return this.issuer.token({ f: this.features, ver: this.version, iat: this.now, nbf: this.now, exp: this.now + 300 });
  }

  #use(call: Record<string, unknown>): Response {
    this.used.push(call);
    const feature = String(call.feature);
    const grant = this.features[feature];
    if (call.action === "settle" || call.action === "release") return Response.json({});
    if (!grant || typeof grant !== "object" || grant.remaining < Number(call.amount)) return this.#refuse(feature);
    this.features[feature] = { ...grant, remaining: grant.remaining - Number(call.amount) };
    return Response.json(call.action === "reserve" ? { reservation_id: "rsv_1" } : {});
  }

  #refuse(feature: string): Response {
    const grant = this.features[feature];
    const open = typeof grant === "object" ? grant.remaining > 0 : Boolean(grant);
    const offers = [{ plan_id: "pro", name: "Pro", price_cents: 1900, currency: "USD", interval: "month" }];
    const problem = { ...paywallProblem(feature, "not_in_plan", "https://portal.example/pricing"), offers };
    return open ? Response.json({ allowed: true }) : Response.json(problem, { status: 402 });
  }
}

/** Cookies as next/headers keeps them, with what was set for the browser. */
export class Jar implements CookieJar {
  readonly values = new Map<string, string>();
  readonly options = new Map<string, unknown>();

  get(name: string): { value: string } | undefined {
    const value = this.values.get(name);
    return value ? { value } : undefined;
  }

  set(name: string, value: string, options: unknown): void {
    this.values.set(name, value);
    this.options.set(name, options);
  }
}
