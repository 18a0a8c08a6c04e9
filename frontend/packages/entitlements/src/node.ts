/** Offline verification of entitlement tokens in Node: ES256 by node:crypto, with a published key set kept in memory. */
import { createPublicKey, verify as verifySignature, type JsonWebKey, type KeyObject } from "node:crypto";
import { seconds, type EntitlementClaims } from "./claims.js";

export { can, grantOf, type EntitlementClaims } from "./claims.js";
export {
  createReceiver,
  InvalidEvent,
  verifyEvent,
  type BillingEvent,
  type EventHandler,
  type HandledEvents,
  type ReceiverOptions,
} from "./events.js";

/** A token that must not be believed; the message says why, never what it holds. */
export class InvalidToken extends Error {
  override readonly name = "InvalidToken";
}

export interface KeySet {
  readonly keys: readonly (JsonWebKey & { kid?: string })[];
}

export interface VerifierOptions {
  /** The address of the key set, or the key set itself. */
  readonly keys: string | KeySet;
  /** Beside an address: keys that are known before it was ever read, so that a new process needs no network for a yes. */
  readonly knownKeys?: KeySet;
  readonly issuer?: string;
  readonly audience?: string;
  /** How many verified tokens are remembered. */
  readonly cacheSize?: number;
  readonly now?: () => number;
  readonly fetch?: typeof globalThis.fetch;
}

export interface Verifier {
  /** The claims of a valid token. Throws `InvalidToken`; something else when its key could not be looked up. */
  verify(token: string): Promise<EntitlementClaims>;
  /** The user of a valid session token of the billing service. Throws as `verify` does. */
  subjectOf(session: string): Promise<string>;
}

const MAX_TOKEN_CHARS = 4096;
const SESSION_AUDIENCE = "bitsleuth-billing";
/** Seconds by which the signer's clock may be ahead of ours. The end of a token is exact. */
const LEEWAY = 10;
const KEYS_LIVE = 300;
/** At most one fetch in this many seconds, whatever key ids are asked for. */
const KEYS_REST = 10;

export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer = "bitsleuth-billing", audience = "bitsleuth-analyzer", cacheSize = 1000, now = seconds } = options;
  const keys = typeof options.keys === "string" ? remoteKeys(options.keys, now, options) : fixedKeys(options.keys);
  const verified = new Map<string, Signed & { claims: EntitlementClaims }>();
  const sessions = new Map<string, Signed & { sub: string; exp: number }>();

  async function verify(token: string): Promise<EntitlementClaims> {
    const cached = verified.get(token);
    if (cached && (await holds(cached))) {
      if (cached.claims.exp <= now()) {
        verified.delete(token);
        throw new InvalidToken("the token has expired");
      }
      // Moved to the end, so that the first one is always the least recently used.
      verified.delete(token);
      verified.set(token, cached);
      return cached.claims;
    }
    const { said, ...signed } = await check(token, "entitlements+jwt", audience);
    const claims = entitlements(said);
    verified.set(token, { ...signed, claims });
    if (verified.size > cacheSize) verified.delete(verified.keys().next().value as string);
    return claims;
  }

  /** What was verified with a key that was taken away since is not believed any more. */
  const holds = async ({ kid, key }: Signed): Promise<boolean> => (await keys(kid)) === key;

  async function subjectOf(session: string): Promise<string> {
    let cached = sessions.get(session);
    if (!cached || !(await holds(cached))) {
      const { said, ...signed } = await check(session, "session+jwt", SESSION_AUDIENCE);
      const { sub, exp } = times(said);
      if (typeof sub !== "string") throw new InvalidToken("the token lacks its claims");
      cached = { ...signed, sub, exp };
      sessions.set(session, cached);
      if (sessions.size > cacheSize) sessions.delete(sessions.keys().next().value as string);
    }
    if (cached.exp <= now()) throw new InvalidToken("the token has expired");
    return cached.sub;
  }

  async function check(token: string, kind: string, meant: string): Promise<Signed & { said: Record<string, unknown> }> {
    if (token.length > MAX_TOKEN_CHARS) throw new InvalidToken("the token is too long");
    const [head, body, signature, ...rest] = token.split(".");
    if (!head || !body || !signature || rest.length) throw new InvalidToken("this is not a token");
    const header = json(head);
    if (header.alg !== "ES256" || header.typ !== kind || "crit" in header) {
      throw new InvalidToken("the token is of another kind");
    }
    const { kid } = header;
    const key = typeof kid === "string" ? await keys(kid) : undefined;
    if (typeof kid !== "string" || !key) throw new InvalidToken("the token is signed with an unknown key");
    const signed = Buffer.from(`${head}.${body}`);
    const proof = Buffer.from(signature, "base64url");
    if (!verifySignature("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, proof)) {
      throw new InvalidToken("the signature is wrong");
    }
    const said = json(body);
    if (said.iss !== issuer || said.aud !== meant) {
      throw new InvalidToken("the token is of another issuer, or for somebody else");
    }
    return { said, kid, key };
  }

  function entitlements(claims: Record<string, unknown>): EntitlementClaims {
    const { sub, plan, ver, f } = claims;
    if (typeof sub !== "string" || typeof ver !== "number" || typeof f !== "object" || f === null) {
      throw new InvalidToken("the token lacks its claims");
    }
    const { iat, exp } = times(claims);
    return { sub, plan: String(plan), ver, f: f as EntitlementClaims["f"], iat, exp };
  }

  function times(claims: Record<string, unknown>): { sub: unknown; iat: number; exp: number } {
    const { sub, iat, nbf, exp } = claims;
    if (typeof iat !== "number" || typeof nbf !== "number" || typeof exp !== "number") {
      throw new InvalidToken("the token lacks its times");
    }
    if (Math.max(iat, nbf) > now() + LEEWAY) throw new InvalidToken("the token is not valid yet");
    if (exp <= now()) throw new InvalidToken("the token has expired");
    return { sub, iat, exp };
  }

  return { verify, subjectOf };
}

/** By which key something was verified. */
interface Signed {
  readonly kid: string;
  readonly key: KeyObject;
}

type Keys = (kid: string) => KeyObject | undefined | Promise<KeyObject | undefined>;

function fixedKeys(set: KeySet): Keys {
  const byId = imported(set);
  return (kid) => byId.get(kid);
}

/**
 * Keeps the key set for five minutes and then reads it anew beside the work: a known key is never waited for, and goes
 * on while the set cannot be read. An unknown key is looked up; when that fails it is not "unknown", it throws.
 */
function remoteKeys(url: string, now: () => number, { fetch = globalThis.fetch, knownKeys }: VerifierOptions): Keys {
  let byId = knownKeys ? imported(knownKeys) : new Map<string, KeyObject>();
  let readAt = -Infinity;
  let triedAt = -Infinity;
  let failure: unknown = null;
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    triedAt = now();
    try {
      const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(3000) });
      if (!answer.ok) throw new Error(`the key set answered ${String(answer.status)}`);
      byId = imported((await answer.json()) as KeySet);
      readAt = now();
      failure = null;
    } catch (error) {
      failure = error;
    }
  }

  return async (kid) => {
    const stale = now() - readAt > KEYS_LIVE;
    if ((stale || !byId.has(kid)) && (reading || now() - triedAt >= KEYS_REST)) {
      reading ??= read().finally(() => (reading = null));
      if (!byId.has(kid)) await reading;
    }
    const key = byId.get(kid);
    if (!key && failure !== null) throw new Error("the key set could not be read", { cause: failure });
    return key;
  };
}

function imported(set: KeySet): Map<string, KeyObject> {
  const usable = set.keys.filter((key) => key.kty === "EC" && key.crv === "P-256" && typeof key.kid === "string");
  return new Map(usable.map((key) => [key.kid as string, createPublicKey({ key, format: "jwk" })]));
}

function json(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Answered below, like everything else that is no object.
  }
  throw new InvalidToken("this is not a token");
}
