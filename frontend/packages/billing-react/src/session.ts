import { ApiError, createBillingClient, unwrap, type Schemas } from "@bitsleuth/billing-api-client";

export interface NostrEvent {
  kind: number;
  created_at: number;
  tags: string[][];
  content: string;
}

/** Signs a NIP-98 event with a key we never see; rejects when the user declines. */
export interface Signer {
  /** `host`: the key that the host's own user has there. */
  readonly name: "nip07" | "billing-key" | "host";
  /** The public key in hex, where it can be told without asking the user. */
  pubkey?(): Promise<string>;
  sign(event: NostrEvent): Promise<NostrEvent & { id: string; pubkey: string; sig: string }>;
}

/** The signer did not sign: the user declined, or the extension failed. */
export class SignerRefused extends Error {
  override name = "SignerRefused";
}

/** Who the user is to the billing API. Hosts with their own sign-in implement this with `token` and `subscribe`. */
export interface Session {
  /** The user's id; null while nobody is signed in. Changes are announced to subscribers. */
  readonly userId: string | null;
  /** Whose key the sign-in is of; null when it was adopted, or nobody is signed in. */
  readonly signedInWith?: SignedInWith | null;
  /** The sign-in that ended although nobody signed out, until there is another: whose account to lead back to. */
  readonly ended?: Ended | null;
  token(): Promise<string | null>;
  /** A call with this token was refused: it is renewed once, or else the sign-in has ended. */
  rejected?(token: string): void;
  subscribe(listener: () => void): () => void;
  signIn(signer: Signer): Promise<void>;
  /** Takes a token made elsewhere: an OIDC token, or one of the development issuer; with what renews it, if anything. */
  adopt(token: string, refresh?: string | null): void;
  /** At once here, and at the service as soon as it can be reached; never fails. */
  signOut(): void;
}

export interface SignedInWith {
  readonly name: Signer["name"];
  readonly pubkey: string;
}

export interface Ended {
  readonly userId: string | null;
  readonly by: SignedInWith | null;
}

interface Stored {
  token: string;
  by?: SignedInWith | null;
  adopted?: boolean;
  refresh: string | null;
  expiresAt: number;
}

export interface SessionOptions {
  apiUrl?: string;
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  now?: () => number;
  fetch?: typeof globalThis.fetch;
  /** Renews a token made elsewhere. An `ApiError` of 400 ends the sign-in, any other failure does not. */
  renewAdopted?: (refresh: string) => Promise<AdoptedTokens>;
  /** Told when somebody signs out whose token was made elsewhere: the session there is to end too. */
  onLeft?: (token: string) => void;
}

export interface AdoptedTokens {
  readonly token: string;
  /** What renews it next: often another one each time. */
  readonly refresh: string | null;
}

const STORAGE_KEY = "bitsleuth-billing-session";
const ENDED_KEY = "bitsleuth-billing-ended";
/** Longer than the time between two readings of the entitlements: while a page is open its token never ends. */
const REFRESH_BEFORE_MS = 300_000;
const ADOPTED_BEFORE_MS = 30_000;
const PATIENCE_MS = 10_000;

/** Keeps the session in `storage` and renews its token shortly before it ends. */
export function createSession({ apiUrl = "", storage, now = Date.now, fetch, renewAdopted, onLeft }: SessionOptions = {}): Session {
  const client = createBillingClient({ baseUrl: apiUrl, ...(fetch ? { fetch } : {}) });
  const store = storage ?? globalThis.localStorage;
  const listeners = new Set<() => void>();
  let current = read(store);
  let renewal: Promise<string | null> | null = null;
  let renewedFor: string | null = null;

  function keep(next: Stored | null): void {
    current = next;
    if (next) store.setItem(STORAGE_KEY, JSON.stringify(next));
    else store.removeItem(STORAGE_KEY);
    store.removeItem(ENDED_KEY);
    for (const listener of listeners) listener();
  }

  /** Nobody signed out: it is kept whose sign-in it was. */
  function end(): void {
    const ended: Ended = { userId: userOf(current), by: current?.by ?? null };
    current = null;
    store.removeItem(STORAGE_KEY);
    store.setItem(ENDED_KEY, JSON.stringify(ended));
    for (const listener of listeners) listener();
  }

  function accept(tokens: Schemas["SessionTokens"], by: SignedInWith | null): void {
    keep({ token: tokens.session_token, refresh: tokens.refresh_token, expiresAt: Date.parse(tokens.expires_at), by });
  }

  function adopt(token: string, refresh: string | null = null): void {
    // One that does not say when it ends is never too old.
    keep({ token, refresh, expiresAt: Number(claims(token).exp) * 1000 || Number.MAX_SAFE_INTEGER, adopted: true });
  }

  /** Elsewhere a token may live for minutes only: it is renewed at its end, not at every call. */
  const isFresh = () => current !== null && current.expiresAt > now() + (current.adopted ? ADOPTED_BEFORE_MS : REFRESH_BEFORE_MS);

  /** Another tab may have renewed, or signed out: a refresh token that is used twice ends the sign-in in all of them. */
  function followOtherTabs(): void {
    const kept = read(store);
    if (kept?.token === current?.token) return;
    current = kept;
    for (const listener of listeners) listener();
  }
  globalThis.addEventListener?.("storage", followOtherTabs);

  async function renew(refresh: string): Promise<string | null> {
    // Who signs out, or in as somebody else, meanwhile is not to be signed in again by the answer.
    const isStillAsked = () => current?.refresh === refresh;
    try {
      if (current?.adopted && renewAdopted) {
        const next = await renewAdopted(refresh);
        if (isStillAsked()) adopt(next.token, next.refresh);
        return current && current.token;
      }
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const tokens = await unwrap(client.POST("/auth/refresh", { body: { refresh_token: refresh }, signal }));
      if (isStillAsked()) accept(tokens, current?.by ?? null);
    } catch (error) {
      // Only the service's own refusal ends the session; one that is away does not, nor what answers in its place.
      if (isRefusal(error) && isStillAsked()) end();
    }
    return current && current.expiresAt > now() ? current.token : null;
  }

  return {
    get userId() {
      return userOf(current);
    },
    get signedInWith() {
      return current?.by ?? null;
    },
    get ended() {
      return current ? null : readEnded(store);
    },
    rejected(token) {
      if (current?.token !== token) return;
      // One that was renewed for this reason, or cannot be, is over.
      if (!current.refresh || token === renewedFor) return end();
      renewal ??= renew(current.refresh).finally(() => {
        renewal = null;
        renewedFor = current?.token ?? null;
        for (const listener of listeners) listener();
      });
    },
    async token() {
      if (renewal) return renewal;
      if (isFresh()) return current?.token ?? null;
      followOtherTabs();
      if (!current || isFresh()) return current?.token ?? null;
      if (!current.refresh) {
        if (current.expiresAt <= now()) end();
        return current?.token ?? null;
      }
      renewal ??= renew(current.refresh).finally(() => (renewal = null));
      return renewal;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async signIn(signer) {
      const url = new URL(`${apiUrl}/auth/nostr`, globalThis.location?.href).href;
      const { authorization, pubkey } = await nip98(signer, url, "{}", now());
      const headers = { Authorization: authorization };
      const tokens = await unwrap(client.POST("/auth/nostr", { body: {}, headers })).catch(refusedSignature);
      accept(tokens, { name: signer.name, pubkey });
    },
    adopt,
    signOut() {
      const left = current;
      keep(null);
      if (left?.adopted) onLeft?.(left.token);
      else if (left?.refresh) void tellSignedOut(left.refresh);
    },
  };

  /** `keepalive`: the call outlives a page that is left. A service that is away lets the token run out by itself. */
  async function tellSignedOut(refresh_token: string): Promise<void> {
    await client.POST("/auth/sign-out", { body: { refresh_token }, keepalive: true }).catch(() => undefined);
  }
}

/** A 401 here is about the signature, not about a sign-in that has ended. */
function refusedSignature(error: unknown): never {
  if (!(error instanceof ApiError) || error.status !== 401) throw error;
  throw new ApiError(error.status, "signature_refused", error.message, error.problem, error.requestId);
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.status === 401 || ([400, 403].includes(error.status) && error.code !== "unexpected_answer");
}

async function nip98(signer: Signer, url: string, body: string, now: number) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const event = await signer.sign({
    kind: 27235,
    created_at: Math.floor(now / 1000),
    tags: [
      ["u", url],
      ["method", "POST"],
      ["payload", hex(new Uint8Array(hash))],
    ],
    content: "",
  });
  return { authorization: `Nostr ${btoa(JSON.stringify(event))}`, pubkey: event.pubkey };
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The claims of a token, for display only: servers verify, pages do not. */
function claims(token: string): Record<string, unknown> {
  try {
    const payload = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(payload)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function userOf(stored: Stored | null): string | null {
  const user = stored && claims(stored.token).sub;
  return typeof user === "string" ? user : null;
}

function read(store: Pick<Storage, "getItem">): Stored | null {
  try {
    const stored = JSON.parse(store.getItem(STORAGE_KEY) ?? "null") as Stored | null;
    return stored && typeof stored.token === "string" ? stored : null;
  } catch {
    return null;
  }
}

function readEnded(store: Pick<Storage, "getItem">): Ended | null {
  try {
    return JSON.parse(store.getItem(ENDED_KEY) ?? "null") as Ended | null;
  } catch {
    return null;
  }
}
