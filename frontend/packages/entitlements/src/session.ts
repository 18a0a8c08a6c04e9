/** The host's session route: the browser hands its billing session over once, and HttpOnly cookies carry it from then on. */
import type { EntitlementClaims } from "./claims.js";
import { SESSION_COOKIE, TOKEN_COOKIE, type CookieJar, type CookieOptions } from "./cookies.js";
import { unavailableProblem } from "./problem.js";
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
  /** Where the pages of this host are, when its proxies do not say it. */
  readonly origins: readonly string[];
}

/** A billing session is renewed by the browser; the cookie need not outlive it by much. */
const SESSION_COOKIE_SECONDS = 3600;
const MAX_BODY_CHARS = 16_384;
/** Browsers drop a longer cookie without a word. */
const LONGEST_SESSION = 4096 - SESSION_COOKIE.length;

export function sessionHandlers({ cookies, cookieOptions, claimsOf, refresh, origins }: Parts): SessionHandlers {
  async function guarded(work: (jar: CookieJar) => Promise<Response>): Promise<Response> {
    try {
      return await work(await cookies());
    } catch (error) {
      if (error instanceof ServiceUnavailable) return answer(unavailableProblem, 503);
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
        if (!sameOrigin(request, origins)) return foreign(request);
        const session = await sessionToken(request);
        if (!session) return answer({ code: "invalid_request" }, 400);
        if (session.length > LONGEST_SESSION) return tooLong(session);
        const claims = await refresh(jar, session);
        if (!claims) return answer({ code: "not_authenticated" }, 401);
        jar.set(SESSION_COOKIE, session, cookieOptions(SESSION_COOKIE_SECONDS));
        return answer(view(claims));
      }),
    DELETE: (request) =>
      guarded(async (jar) => {
        if (!sameOrigin(request, origins)) return foreign(request);
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
function sameOrigin(request: Request, origins: readonly string[]): boolean {
  const origin = request.headers.get("origin");
  if (origin === null || origins.includes(origin)) return true;
  return origins.length === 0 && URL.canParse(origin) && new URL(origin).host === hostOf(request);
}

/** The name that the browser used: with several proxies, the first one wrote it. */
function hostOf(request: Request): string | null {
  const forwarded = request.headers.get("x-forwarded-host")?.split(",")[0]?.trim();
  return forwarded || request.headers.get("host");
}

/** Said in full: behind a proxy that hides the host's name, it is the developer who reads it. */
function foreign(request: Request): Response {
  return notAllowed("Another origin", `the page is of ${String(request.headers.get("origin"))}, this host is ${String(hostOf(request))}`);
}

function tooLong(session: string): Response {
  return notAllowed("No cookie holds this session", `its token has ${String(session.length)} characters, a cookie ${String(LONGEST_SESSION)}`);
}

function notAllowed(title: string, detail: string): Response {
  return answer({ code: "not_allowed", title, status: 403, detail }, 403);
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
  const type = status < 400 ? "application/json" : "application/problem+json";
  return Response.json(body, { status, headers: { "cache-control": "no-store", "content-type": type } });
}
