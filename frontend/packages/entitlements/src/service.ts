/** The calls a gate makes to the billing API: only before it refuses, and to report use. */
import type { PaywallProblem } from "./problem.js";
import { parsePaywallError } from "./problem.js";

export interface Service {
  /** A fresh entitlement token; null when the session is not (or no longer) valid. */
  entitlementToken(session: string): Promise<string | null>;
  /** The refusal in full, with offers; null when the feature turned out to be open. */
  refusal(session: string, feature: string): Promise<PaywallProblem | null>;
  /** Takes or holds a use before it is given: the paywall when it was refused. */
  use(session: string, call: UsageCall): Promise<{ reservation_id?: string } | PaywallProblem>;
  /** Tells of a use that has been: nobody waits, so it is tried again, and while the service is silent too. */
  report(session: string, call: UsageCall): Promise<void>;
}

export interface UsageCall {
  readonly feature: string;
  readonly action: "consume" | "reserve" | "settle" | "release";
  readonly amount: number;
  readonly idempotency_key: string;
  readonly reservation_id?: string;
}

/** The billing API could not be asked, or did not understand: nothing can be said about access. */
export class ServiceUnavailable extends Error {
  override readonly name = "ServiceUnavailable";
}

/** Milliseconds that a call waits for the service. */
const PATIENCE = 3000;
/** Seconds in which nobody waits again for a service that did not answer; then one call tries. */
const REST = 5;

export function createService(apiUrl: string, fetch: typeof globalThis.fetch, now: () => number): Service {
  let silentUntil = -Infinity;

  async function send(session: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${session}`, "content-type": "application/json" };
    try {
      // Else Next would keep an answer on disk where `fetchCache` is `default-cache`: a yes for good, of whatever was revoked.
      const answer = await fetch(apiUrl + path, { ...init, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      // The body too has to come in time.
      const whole = new Response(await answer.arrayBuffer(), { status: answer.status });
      silentUntil = -Infinity;
      return whole;
    } catch (error) {
      silentUntil = now() + REST;
      throw new ServiceUnavailable("the billing service did not answer", { cause: error });
    }
  }

  async function ask(session: string, path: string, init?: RequestInit): Promise<Response> {
    if (now() < silentUntil) throw new ServiceUnavailable("the billing service did not answer a moment ago");
    // Whoever tries first after a silence tries for all.
    if (silentUntil > -Infinity) silentUntil = now() + REST;
    return send(session, path, init);
  }

  const usage = (call: UsageCall): [string, RequestInit] => ["/billing/usage", { method: "POST", body: JSON.stringify(call) }];

  return {
    async entitlementToken(session) {
      const answer = await ask(session, "/billing/entitlements");
      if (answer.status === 401 || answer.status === 403) return null;
      return ((await expect200(answer)) as { token: string | null }).token;
    },
    async refusal(session, feature) {
      const answer = await ask(session, `/billing/entitlements/${encodeURIComponent(feature)}?fresh=true`);
      return answer.status === 402 ? paywallOf(answer) : (await expect200(answer), null);
    },
    async use(session, call) {
      const answer = await ask(session, ...usage(call));
      return answer.status === 402 ? paywallOf(answer) : ((await expect200(answer)) as { reservation_id?: string });
    },
    async report(session, call) {
      const once = async () => {
        const answer = await send(session, ...usage(call));
        // Its reservation has expired: it was given, so it is taken now.
        if (answer.status === 404 && call.action === "settle") call = { ...call, action: "consume" };
        // Used up meanwhile: it was given, and there is nothing left to take.
        if (answer.status !== 402) await expect200(answer);
      };
      await once().catch(once);
    },
  };
}

async function expect200(answer: Response): Promise<unknown> {
  if (!answer.ok) throw new ServiceUnavailable(`the billing service answered ${String(answer.status)}`);
  return read(answer);
}

/** A 402 of something else (a proxy with a limit of its own) says nothing about access. */
async function paywallOf(answer: Response): Promise<PaywallProblem> {
  const problem = parsePaywallError(await read(answer));
  if (!problem) throw new ServiceUnavailable("the billing service refused without saying what");
  return problem;
}

/** A proxy's page, or a body that breaks off, is no word of the service. */
async function read(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch (error) {
    throw new ServiceUnavailable("the billing service did not answer in JSON", { cause: error });
  }
}
