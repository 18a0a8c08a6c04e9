/** The billing session, for calls to the billing API on the user's behalf. */
export const SESSION_COOKIE = "bitsleuth_session";
/** The entitlement token, which gates check offline. */
export const TOKEN_COOKIE = "bitsleuth_entitlements";

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
