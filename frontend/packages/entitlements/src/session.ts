/** The host's session route: the browser hands its billing session over once, and HttpOnly cookies carry it from then on. */
import type { EntitlementClaims } from "./claims.js";
import { SESSION_COOKIE, TOKEN_COOKIE, type CookieJar, type CookieOptions } from "./cookies.js";
import { ServiceUnavailable } from "./service.js";

/** What pages may know: it shows and hides, the cookies decide. */
export interface SessionView {
  readonly signedIn: boolean;
  readonly plan: string | null;
  readonly features: EntitlementClaims["f"];
  readonly expiresAt: number | null;
}

export interface SessionHandlers {
  /** What the user has; renews a token that has ended. */
  GET(request: Request): Promise<Response>;
  /** Takes `{session_token}` and answers as GET does; 401 when the billing service does not know it. */
  POST(request: Request): Promise<Response>;
  /** Forgets the session. */
  DELETE(request: Request): Promise<Response>;
}

interface Parts {
  readonly cookies: () => Promise<CookieJar>;
  readonly cookieOptions: (maxAge: number) => CookieOptions;
  readonly claimsOf: (token: string | undefined) => Promise<EntitlementClaims | null>;
  readonly refresh: (jar: CookieJar, session: string) => Promise<EntitlementClaims | null>;
}

/** A billing session is renewed by the browser; the cookie need not outlive it by much. */
const SESSION_COOKIE_SECONDS = 3600;
const MAX_BODY_CHARS = 8192;

export function sessionHandlers({ cookies, cookieOptions, claimsOf, refresh }: Parts): SessionHandlers {
  async function guarded(work: (jar: CookieJar) => Promise<Response>): Promise<Response> {
    try {
      return await work(await cookies());
    } catch (error) {
      if (error instanceof ServiceUnavailable) return answer({ code: "billing_unavailable" }, 503);
      throw error;
    }
  }

  return {
    GET: () =>
      guarded(async (jar) => {
        const session = jar.get(SESSION_COOKIE)?.value;
        let claims = await claimsOf(jar.get(TOKEN_COOKIE)?.value);
        if (!claims && session) claims = await refresh(jar, session);
        return answer(view(claims));
      }),
    POST: (request) =>
      guarded(async (jar) => {
        if (!sameOrigin(request)) return answer({ code: "not_allowed" }, 403);
        const session = await sessionToken(request);
        if (!session) return answer({ code: "invalid_request" }, 400);
        const claims = await refresh(jar, session);
        if (!claims) return answer({ code: "not_authenticated" }, 401);
        jar.set(SESSION_COOKIE, session, cookieOptions(SESSION_COOKIE_SECONDS));
        return answer(view(claims));
      }),
    DELETE: (request) =>
      guarded(async (jar) => {
        if (!sameOrigin(request)) return answer({ code: "not_allowed" }, 403);
        for (const name of [SESSION_COOKIE, TOKEN_COOKIE]) jar.set(name, "", cookieOptions(0));
        return answer(view(null));
      }),
  };
}

function view(claims: EntitlementClaims | null): SessionView {
  return {
    signedIn: claims !== null,
    plan: claims?.plan ?? null,
    features: claims?.f ?? {},
    expiresAt: claims?.exp ?? null,
  };
}

/** A page of another origin must not change the session: browsers name their origin with every such request. */
function sameOrigin(request: Request): boolean {
  const origin = request.headers.get("origin");
  const host = request.headers.get("x-forwarded-host") ?? request.headers.get("host");
  return origin === null || (URL.canParse(origin) && new URL(origin).host === host);
}

async function sessionToken(request: Request): Promise<string | null> {
  if (!request.headers.get("content-type")?.startsWith("application/json")) return null;
  const text = await request.text();
  if (text.length > MAX_BODY_CHARS) return null;
  try {
    const token = (JSON.parse(text) as { session_token?: unknown }).session_token;
    return typeof token === "string" && /^[\w.-]+$/.test(token) ? token : null;
  } catch {
    return null;
  }
}

function answer(body: object, status = 200): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store" } });
}
