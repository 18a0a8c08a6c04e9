/** The gate of a Next.js host: route handlers, Server Actions, and the session behind both. */
import { randomUUID } from "node:crypto";
import { can, seconds, type EntitlementClaims } from "./claims.js";
import { SESSION_COOKIE, TOKEN_COOKIE, withoutPrefix, type CookieJar, type CookieOptions } from "./cookies.js";
import { Tallies } from "./metering.js";
import { createVerifier, InvalidToken, type KeySet } from "./node.js";
import { parsePaywallError, paywallProblem, type PaywallProblem } from "./problem.js";
import { createService, ServiceUnavailable } from "./service.js";
import { sessionHandlers, type SessionHandlers } from "./session.js";

export { SESSION_COOKIE, TOKEN_COOKIE, type CookieJar, type CookieOptions } from "./cookies.js";
export { parsePaywallError, type PaywallProblem } from "./problem.js";
export { ServiceUnavailable } from "./service.js";

export interface GateOptions {
  /** Origin of the billing API. */
  readonly apiUrl: string;
  /** Where a person buys what is missing. */
  readonly upgradeUrl: string;
  /** `cookies` of next/headers. */
  readonly cookies: () => Promise<CookieJar>;
  /** `after` of next/server: runs a task when the response is sent. */
  readonly after: (task: () => Promise<void>) => void;
  /** Default: the published key set of `apiUrl`. */
  readonly keys?: string | KeySet;
  readonly issuer?: string;
  readonly audience?: string;
  /** False only where the host itself is served without TLS, on a developer's machine: its cookies lose their prefix. */
  readonly secure?: boolean;
  readonly now?: () => number;
  readonly fetch?: typeof globalThis.fetch;
}

export interface Metering {
  /**
   * `after`: counted when the response is sent, without a wait; the overshoot is bounded by what the token says is left.
   * `reserve`: held before and settled afterwards, exact, for one call to the service before each use.
   */
  readonly meter?: "after" | "reserve";
  readonly amount?: number;
}

export type ActionResult<T> = { ok: true; data: T } | { ok: false; error: PaywallProblem };
type RouteHandler<C> = (request: Request, context: C) => Response | Promise<Response>;
/** Let in with what must be told afterwards, or turned away. */
type Verdict = { open: true; done: (succeeded: boolean) => void } | { open: false; problem: PaywallProblem };

export interface Gate {
  /** Answers 402 before the body is read; 503 when a needed word of the service cannot be had. */
  withFeature<C>(feature: string, handler: RouteHandler<C>, metering?: Metering): RouteHandler<C>;
  /** A Server Action that returns the refusal: what it throws reaches the browser as an opaque digest. */
  gatedAction<A extends unknown[], T>(
    feature: string,
    action: (...args: A) => Promise<T>,
    metering?: Metering,
  ): (...args: A) => Promise<ActionResult<T>>;
  /** GET, POST and DELETE of the host's own session route, for the browser. */
  readonly session: SessionHandlers;
}

export function createGate(options: GateOptions): Gate {
  const { apiUrl, upgradeUrl, after, secure = true, now = seconds, fetch = globalThis.fetch } = options;
  const { keys = `${apiUrl}/.well-known/jwks.json`, issuer, audience } = options;
  const verifier = createVerifier({ keys, now, fetch, ...(issuer && { issuer }), ...(audience && { audience }) });
  const service = createService(apiUrl, fetch);
  const tallies = new Tallies();
  const refreshing = new Map<string, Promise<string | null>>();

  const cookies = secure ? options.cookies : async () => withoutPrefix(await options.cookies());
  const cookieOptions = (maxAge: number): CookieOptions => ({ httpOnly: true, secure, sameSite: "lax", path: "/", maxAge });

  async function claimsOf(token: string | undefined): Promise<EntitlementClaims | null> {
    if (!token) return null;
    try {
      return await verifier.verify(token);
    } catch (error) {
      if (error instanceof InvalidToken) return null;
      throw new ServiceUnavailable("the key set could not be read", { cause: error });
    }
  }

  /** Asks for a fresh token, once for all who ask at the same time, and keeps it in the cookie. */
  async function refresh(jar: CookieJar, session: string): Promise<EntitlementClaims | null> {
    let asked = refreshing.get(session);
    if (!asked) {
      asked = service.entitlementToken(session).finally(() => refreshing.delete(session));
      refreshing.set(session, asked);
    }
    const token = await asked;
    const claims = await claimsOf(token ?? undefined);
    if (token && claims) jar.set(TOKEN_COOKIE, token, cookieOptions(Math.max(1, claims.exp - now())));
    return claims;
  }

  /** A yes in the token is believed; a no is asked again before it is said. */
  async function decide(feature: string, { meter, amount = 1 }: Metering): Promise<Verdict> {
    const jar = await cookies();
    const session = jar.get(SESSION_COOKIE)?.value;
    // Without a session nothing can be counted: a token alone does not open what is metered.
    if (meter && !session) return refused(feature);
    if (meter === "reserve" && session) return reserve(session, feature, amount);
    const open = (claims: EntitlementClaims | null): claims is EntitlementClaims =>
      claims !== null && can(claims, feature, now(), meter ? tallies.used(claims, feature) + amount - 1 : 0);
    let claims = await claimsOf(jar.get(TOKEN_COOKIE)?.value);
    if (!open(claims) && session) claims = await refresh(jar, session);
    if (open(claims)) return { open: true, done: meter && session ? counter(session, claims, feature, amount) : () => {} };
    const problem = session ? await service.refusal(session, feature) : null;
    return problem ? { open: false, problem } : refused(feature, claims ? "limit_reached" : "not_in_plan");
  }

  function refused(feature: string, scenario: "not_in_plan" | "limit_reached" = "not_in_plan"): Verdict {
    return { open: false, problem: paywallProblem(feature, scenario, upgradeUrl) };
  }

  /** Counted at once in this process, and reported once the response is sent. */
  function counter(session: string, claims: EntitlementClaims, feature: string, amount: number): (ok: boolean) => void {
    const reported = tallies.add(claims, feature, amount);
    const call = { feature, action: "consume", amount, idempotency_key: randomUUID() } as const;
    return (succeeded) => {
      after(async () => {
        try {
          if (succeeded) await service.use(session, call).catch(() => service.use(session, call));
        } finally {
          reported();
        }
      });
    };
  }

  async function reserve(session: string, feature: string, amount: number): Promise<Verdict> {
    const call = { feature, amount, idempotency_key: randomUUID() };
    const held = await service.use(session, { ...call, action: "reserve" });
    const problem = parsePaywallError(held);
    if (problem) return { open: false, problem };
    const { reservation_id } = held as { reservation_id?: string };
    const done = (succeeded: boolean): void => {
      if (!reservation_id) return;
      const end = { ...call, reservation_id, action: succeeded ? "settle" : "release", idempotency_key: randomUUID() } as const;
      after(async () => {
        await service.use(session, end).catch(() => service.use(session, end));
      });
    };
    return { open: true, done };
  }

  return {
    withFeature: (feature, handler, metering = {}) => async (request, context) => {
      let verdict: Verdict;
      try {
        verdict = await decide(feature, metering);
      } catch (error) {
        if (error instanceof ServiceUnavailable) return unavailable();
        throw error;
      }
      if (!verdict.open) return problemResponse(verdict.problem, 402);
      return finish(verdict.done, async () => handler(request, context), (response) => response.status < 500);
    },
    gatedAction: (feature, action, metering = {}) => async (...args) => {
      const verdict = await decide(feature, metering);
      if (!verdict.open) return { ok: false, error: verdict.problem };
      return { ok: true, data: await finish(verdict.done, () => action(...args), () => true) };
    },
    session: sessionHandlers({ cookies, cookieOptions, claimsOf, refresh }),
  };
}

/** Runs the work and tells `done` whether it was worth its price. */
async function finish<T>(done: (succeeded: boolean) => void, work: () => Promise<T>, good: (made: T) => boolean): Promise<T> {
  let succeeded = false;
  try {
    const made = await work();
    succeeded = good(made);
    return made;
  } finally {
    done(succeeded);
  }
}

function problemResponse(problem: object, status: number): Response {
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  return new Response(JSON.stringify(problem), { status, headers });
}

function unavailable(): Response {
  const problem = { type: "urn:bitsleuth:billing_unavailable", title: "Try again in a moment", status: 503 };
  return problemResponse({ ...problem, code: "billing_unavailable", detail: "access could not be checked" }, 503);
}
