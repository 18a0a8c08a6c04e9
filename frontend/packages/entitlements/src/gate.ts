/** The gate of a host's servers: route handlers, Server Actions, and the session behind both. */
import { randomUUID } from "node:crypto";
import { ofThisProcess, type Changes } from "./changes.js";
import { can, seconds, type EntitlementClaims } from "./claims.js";
import { SESSION_COOKIE, TOKEN_COOKIE, VISITOR_COOKIE, withoutPrefix, type CookieJar, type CookieOptions } from "./cookies.js";
import { createReceiver, type EventHandler, type HandledEvents } from "./events.js";
import { during, MOST_OWED, Tallies, watched, type Owed, type Use } from "./metering.js";
import { createVerifier, InvalidToken, type KeySet } from "./node.js";
import { parsePaywallError, paywallProblem, unavailableProblem, type GateProblem, type PaywallProblem } from "./problem.js";
import { RolloutSource } from "./rollout-source.js";
import type { Rollout } from "./rollout.js";
import { createService, ServiceUnavailable } from "./service.js";
import { sessionHandlers, type SessionHandlers } from "./session.js";

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
  /** Keys that a new process knows without asking: with them its yes needs no network. */
  readonly knownKeys?: KeySet;
  /** The flag of the rollout under which this gate works; where it is off, everything is open. Without one: always. */
  readonly flag?: string;
  /** The rollout that holds in a new process until the service has told it. */
  readonly rollout?: Rollout;
  /** The origin of the host's pages, or several: where its proxies do not pass on the name that the browser used. */
  readonly origin?: string | readonly string[];
  /** The secrets of this host's endpoint (`whsec_…`): with one, the service tells at once whose access changed. */
  readonly eventsSecrets?: readonly string[];
  /** Where heard changes and handled events are kept; by default in this process, which suffices for a host of one. */
  readonly changes?: Changes;
  readonly handledEvents?: HandledEvents;
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

export type ActionResult<T> = { ok: true; data: T } | { ok: false; error: GateProblem };
type Handler<R, C> = (request: R, context: C) => Response | Promise<Response>;
/** Let in, with what must be told of the use when it is over; or turned away. */
type Verdict = { open: true; meter: ((use: Use) => Promise<void>) | null } | { open: false; problem: PaywallProblem };
const OPEN: Verdict = { open: true, meter: null };

export interface Gate {
  /** Answers 402 before the body is read; 503 when a needed word of the service cannot be had. */
  withFeature<R extends Request = Request, C = unknown>(
    feature: string,
    handler: Handler<R, C>,
    metering?: Metering,
  ): (request: R, context: C) => Promise<Response>;
  /** A Server Action that returns the refusal, or that it could not be checked: what it throws is opaque to the browser. */
  gatedAction<A extends unknown[], T>(
    feature: string,
    action: (...args: A) => Promise<T>,
    metering?: Metering,
  ): (...args: A) => Promise<ActionResult<T>>;
  /** GET, POST and DELETE of the host's own session route, for the browser. */
  readonly session: SessionHandlers;
  /**
   * POST of the route that the service calls: verified, each event once. What the gate knows of an account that changed
   * is dropped before `handle` is called; when that throws, the event comes again.
   */
  onBillingEvent(handle?: EventHandler): (request: Request) => Promise<Response>;
}

/** How many renewed tokens are kept for sessions whose cookie could not be set. */
const RENEWED = 1000;

export function createGate(options: GateOptions): Gate {
  const { apiUrl, upgradeUrl, after, flag, secure = true, now = seconds, fetch = globalThis.fetch } = options;
  const { keys = `${apiUrl}/.well-known/jwks.json`, knownKeys, issuer, audience } = options;
  const verifierOptions = { ...(knownKeys && { knownKeys }), ...(issuer && { issuer }), ...(audience && { audience }) };
  const verifier = createVerifier({ keys, now, fetch, ...verifierOptions });
  const service = createService(apiUrl, fetch, now);
  const rollout = flag && new RolloutSource(`${apiUrl}/billing/config`, flag, fetch, now, options.rollout ?? null);
  const changes = options.changes ?? ofThisProcess();
  const tallies = new Tallies();
  const refreshing = new Map<string, Promise<string | null>>();
  const renewed = new Map<string, string>();
  /** Whom the service said a session to be: of those whose token is not its own, only it can tell. */
  const owners = new Map<string, string>();

  const cookies = secure ? options.cookies : async () => withoutPrefix(await options.cookies());
  const cookieOptions = (maxAge: number): CookieOptions => ({ httpOnly: true, secure, sameSite: "lax", path: "/", maxAge });

  async function claimsOf(token: string | undefined): Promise<EntitlementClaims | null> {
    if (!token) return null;
    try {
      const claims = await verifier.verify(token);
      // Of an account that changed since, only a newer token says anything.
      return claims.ver < ((await changes.versionOf(claims.sub)) ?? 0) ? null : claims;
    } catch (error) {
      if (error instanceof InvalidToken) return null;
      throw new ServiceUnavailable("the key set could not be read", { cause: error });
    }
  }

  /** Asks for a fresh token, once for all who ask at the same time. */
  async function renew(session: string): Promise<{ token: string; claims: EntitlementClaims } | null> {
    let asked = refreshing.get(session);
    if (!asked) {
      asked = service.entitlementToken(session).finally(() => refreshing.delete(session));
      refreshing.set(session, asked);
    }
    const token = await asked;
    const claims = await claimsOf(token ?? undefined);
    if (!token || !claims) return null;
    renewed.delete(session);
    renewed.set(session, token);
    if (renewed.size > RENEWED) renewed.delete(renewed.keys().next().value as string);
    owners.set(session, claims.sub);
    if (owners.size > RENEWED) owners.delete(owners.keys().next().value as string);
    return { token, claims };
  }

  /** Whose session it is, without a call; null when that cannot be told here. */
  async function ownerOf(session: string): Promise<string | null> {
    const owner = owners.get(session);
    if (owner) return owner;
    try {
      return await verifier.subjectOf(session);
    } catch (error) {
      if (error instanceof InvalidToken) return null;
      throw new ServiceUnavailable("the key set could not be read", { cause: error });
    }
  }

  /** A fresh token, kept in the cookie. */
  async function refresh(jar: CookieJar, session: string): Promise<EntitlementClaims | null> {
    const fresh = await renew(session);
    if (fresh) jar.set(TOKEN_COOKIE, fresh.token, cookieOptions(Math.max(1, fresh.claims.exp - now())));
    return fresh?.claims ?? null;
  }

  /** What is known of the caller without a call: from the cookie, else from what this process renewed. */
  async function kept(jar: CookieJar, session: string | undefined): Promise<EntitlementClaims | null> {
    return (await claimsOf(jar.get(TOKEN_COOKIE)?.value)) ?? (session ? claimsOf(renewed.get(session)) : null);
  }

  /**
   * A yes in the token is believed; a no is asked again before it is said. `setsCookies` is false in Server Actions: there
   * a cookie makes the whole page be rendered anew into the answer, so the renewed token stays in this process.
   */
  async function decide(feature: string, metering: Metering, setsCookies: boolean): Promise<Verdict> {
    const jar = await cookies();
    const session = jar.get(SESSION_COOKIE)?.value;
    const fresh = async (): Promise<EntitlementClaims | null> =>
      session ? (setsCookies ? refresh(jar, session) : ((await renew(session))?.claims ?? null)) : null;
    const on = rollout ? await rollout.isOn(() => idsOf(jar, session, fresh)) : true;
    if (on === false) return OPEN;
    const verdict = await judge(feature, metering, jar, session, fresh);
    // Whether there is billing for this caller at all is not known: then nobody is refused either.
    if (on === null && !verdict.open) throw new ServiceUnavailable("the rollout could not be read");
    return verdict;
  }

  async function judge(
    feature: string,
    { meter, amount = 1 }: Metering,
    jar: CookieJar,
    session: string | undefined,
    fresh: () => Promise<EntitlementClaims | null>,
  ): Promise<Verdict> {
    // Without a session nothing can be counted: a token alone does not open what is metered.
    if (meter && !session) return refused(feature, "not_in_plan");
    if (meter === "reserve" && session) return reserve(session, feature, amount);
    const open = (claims: EntitlementClaims | null): claims is EntitlementClaims =>
      claims !== null && can(claims, feature, now(), meter ? tallies.used(claims, feature) + amount - 1 : 0);
    let claims = await kept(jar, session);
    // What one user has is not counted on another's session, nor on one that is none.
    if (meter && session && claims && claims.sub !== (await ownerOf(session))) claims = null;
    if (!open(claims) && session) claims = await fresh();
    if (meter && session && claims) await payBack(session, claims.sub);
    if (open(claims)) return meter && session ? { open: true, meter: counter(session, claims, feature, amount) } : OPEN;
    if (!session) return refused(feature, "not_in_plan");
    const problem = await service.refusal(session, feature);
    if (problem) return { open: false, problem };
    // The service says yes where no token did: it holds, but for what is metered, which only a token lets us count.
    if (!meter) return OPEN;
    if (!claims) throw new ServiceUnavailable("the service gave no token that holds");
    return refused(feature, "limit_reached");
  }

  /** Who is asking, for the rollout: the user and the visitor; whoever came in as one stays in as the other. */
  async function idsOf(
    jar: CookieJar,
    session: string | undefined,
    fresh: () => Promise<EntitlementClaims | null>,
  ): Promise<readonly string[]> {
    const user = async () => ((await kept(jar, session)) ?? (await fresh()))?.sub;
    const sub = await user().catch((error: unknown) => {
      if (error instanceof ServiceUnavailable) return undefined;
      throw error;
    });
    return [sub, jar.get(VISITOR_COOKIE)?.value].filter((id) => id !== undefined && id !== "") as string[];
  }

  function refused(feature: string, scenario: "not_in_plan" | "limit_reached"): Verdict {
    return { open: false, problem: paywallProblem(feature, scenario, upgradeUrl) };
  }

  /** Tells what could not be told before. Who owes too much gets nothing more until that succeeds. */
  async function payBack(session: string, sub: string): Promise<void> {
    if (tallies.owed(sub).size < MOST_OWED) return;
    await tellOwed(session, sub);
    if (tallies.owed(sub).size >= MOST_OWED) throw new ServiceUnavailable("the use that was made could not be reported");
  }

  async function tellOwed(session: string, sub: string): Promise<void> {
    for (const owed of [...tallies.owed(sub)]) {
      try {
        await service.report(session, owed.call);
      } catch {
        return; // the next one would not be heard either
      }
      tallies.paid(sub, owed);
    }
  }

  /** Counted at once in this process, and reported once the response is sent. */
  function counter(session: string, claims: EntitlementClaims, feature: string, amount: number): (use: Use) => Promise<void> {
    const end = tallies.add(claims, feature, amount);
    const call = { feature, action: "consume", amount, idempotency_key: randomUUID() } as const;
    return async ({ givenBack }) => {
      if (givenBack) return end(false);
      const owed: Owed = { call, end };
      try {
        await service.report(session, call);
      } catch (error) {
        // It was given all the same: it is owed, over every token to come, until it could be told.
        tallies.owe(claims.sub, owed);
        throw error;
      }
      end(true);
      await tellOwed(session, claims.sub);
    };
  }

  async function reserve(session: string, feature: string, amount: number): Promise<Verdict> {
    const call = { feature, amount, idempotency_key: randomUUID() };
    const held = await service.use(session, { ...call, action: "reserve" });
    const problem = parsePaywallError(held);
    if (problem) return { open: false, problem };
    const { reservation_id } = held as { reservation_id?: string };
    if (!reservation_id) return OPEN;
    const meter = async ({ givenBack }: Use): Promise<void> => {
      const action = givenBack ? "release" : "settle";
      await service.report(session, { ...call, reservation_id, action, idempotency_key: randomUUID() });
    };
    return { open: true, meter };
  }

  /** Runs the work; a use that was not worth its price is given back. What is streamed is judged when it has ended. */
  async function run<T>(meter: (use: Use) => Promise<void>, work: () => Promise<T>, judged: (made: T, use: Use) => T): Promise<T> {
    const use: Use = { givenBack: false };
    try {
      return judged(await during(use, work), use);
    } catch (error) {
      if (!redirects(error)) use.givenBack = true;
      throw error;
    } finally {
      after(() => meter(use));
    }
  }

  async function orUnavailable(verdict: Promise<Verdict>): Promise<Verdict | { open: null }> {
    try {
      return await verdict;
    } catch (error) {
      if (error instanceof ServiceUnavailable) return { open: null };
      throw error;
    }
  }

  return {
    withFeature: (feature, handler, metering = {}) => async (request, context) => {
      const verdict = await orUnavailable(decide(feature, metering, true));
      if (verdict.open === null) return problemResponse(unavailableProblem);
      if (!verdict.open) return problemResponse(verdict.problem);
      const work = async (): Promise<Response> => handler(request, context);
      if (!verdict.meter) return work();
      return run(verdict.meter, work, (response, use) => {
        if (response.status >= 500) use.givenBack = true;
        return watched(response, use);
      });
    },
    gatedAction: (feature, action, metering = {}) => async (...args) => {
      const verdict = await orUnavailable(decide(feature, metering, false));
      if (verdict.open === null) return { ok: false, error: unavailableProblem };
      if (!verdict.open) return { ok: false, error: verdict.problem };
      const work = (): ReturnType<typeof action> => action(...args);
      return { ok: true, data: verdict.meter ? await run(verdict.meter, work, (made) => made) : await work() };
    },
    onBillingEvent: (handle) => {
      const secrets = options.eventsSecrets ?? [];
      if (secrets.length === 0) throw new Error("BILLING_EVENTS_SECRET is not set: nothing could be verified");
      const { handledEvents: handled } = options;
      return createReceiver({ secrets, now, ...(handled && { handled }) }, async (event) => {
        const { user_id, account_version } = event.data;
        if (event.type === "EntitlementsChanged" && typeof user_id === "string" && typeof account_version === "number") {
          await changes.note(user_id, account_version);
        }
        await handle?.(event);
      });
    },
    session: sessionHandlers({ cookies, cookieOptions, claimsOf, refresh, origins: [options.origin ?? []].flat() }),
  };
}

/** Whether this is the `redirect()` of Next, which answers by throwing: the work was done. */
function redirects(error: unknown): boolean {
  return error instanceof Error && "digest" in error && String(error.digest).startsWith("NEXT_REDIRECT;");
}

function problemResponse(problem: GateProblem): Response {
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
