/** Keeps a sister domain, or a page without TLS, from planting a cookie of this name. */
const HOST = "__Host-";
/** The billing session, for calls to the billing API on the user's behalf. */
export const SESSION_COOKIE = `${HOST}bitsleuth_session`;
/** The entitlement token, which gates check offline. */
export const TOKEN_COOKIE = `${HOST}bitsleuth_entitlements`;

/** A random name that a page gives to its visitor, so that who is nobody yet keeps their place in a rollout. */
export const VISITOR_COOKIE = "bitsleuth_visitor";

/** The same cookies where there is no TLS: browsers take the prefix from secure pages alone. */
export function withoutPrefix(jar: CookieJar): CookieJar {
  const bare = (name: string): string => name.replace(HOST, "");
  return { get: (name) => jar.get(bare(name)), set: (name, value, options) => jar.set(bare(name), value, options) };
}

/** What `cookies()` of next/headers gives, as far as it is needed here. */
export interface CookieJar {
  get(name: string): { value: string } | undefined;
  set(name: string, value: string, options: CookieOptions): unknown;
}

export interface CookieOptions {
  httpOnly: boolean;
  secure: boolean;
  sameSite: "lax";
  path: string;
  maxAge: number;
}
