/** The calls a gate makes to the billing API: only before it refuses, and to report use. */
import type { PaywallProblem } from "./problem.js";
import { parsePaywallError } from "./problem.js";

export interface Service {
  /** A fresh entitlement token; null when the session is not (or no longer) valid. */
  entitlementToken(session: string): Promise<string | null>;
  /** The refusal in full, with offers; null when the feature turned out to be open. */
  refusal(session: string, feature: string): Promise<PaywallProblem | null>;
  /** Reports use, or holds it: the paywall when it was refused. */
  use(session: string, call: UsageCall): Promise<{ reservation_id?: string } | PaywallProblem>;
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

export function createService(apiUrl: string, fetch: typeof globalThis.fetch = globalThis.fetch): Service {
  async function call(session: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${session}`, "content-type": "application/json" };
    try {
      return await fetch(apiUrl + path, { ...init, headers, signal: AbortSignal.timeout(5000) });
    } catch (error) {
      throw new ServiceUnavailable("the billing service did not answer", { cause: error });
    }
  }

  return {
    async entitlementToken(session) {
      const answer = await call(session, "/billing/entitlements");
      if (answer.status === 401 || answer.status === 403) return null;
      return ((await expect200(answer)) as { token: string | null }).token;
    },
    async refusal(session, feature) {
      const answer = await call(session, `/billing/entitlements/${encodeURIComponent(feature)}`);
      return answer.status === 402 ? parsePaywallError(await read(answer)) : (await expect200(answer), null);
    },
    async use(session, usage) {
      const answer = await call(session, "/billing/usage", { method: "POST", body: JSON.stringify(usage) });
      const paywall = answer.status === 402 ? parsePaywallError(await read(answer)) : null;
      return paywall ?? ((await expect200(answer)) as { reservation_id?: string });
    },
  };
}

async function expect200(answer: Response): Promise<unknown> {
  if (!answer.ok) throw new ServiceUnavailable(`the billing service answered ${String(answer.status)}`);
  return read(answer);
}

/** A proxy's page, or a body that breaks off, is no word of the service. */
async function read(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch (error) {
    throw new ServiceUnavailable("the billing service did not answer in JSON", { cause: error });
  }
}
