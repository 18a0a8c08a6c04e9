/** For Next.js: the gate with everything that a host of that kind has already. */
import { cookies } from "next/headers.js";
import { after } from "next/server.js";
import { createGate, type Gate, type GateOptions } from "./gate.js";
import type { KeySet } from "./node.js";
import type { Rollout } from "./rollout.js";

export { SESSION_COOKIE, TOKEN_COOKIE, VISITOR_COOKIE, type CookieJar, type CookieOptions } from "./cookies.js";
export { type Changes } from "./changes.js";
export { type BillingEvent, type EventHandler, type HandledEvents } from "./events.js";
export { createGate, type ActionResult, type Gate, type GateOptions, type Metering } from "./gate.js";
export { giveBack } from "./metering.js";
export {
  parseGateProblem,
  parsePaywallError,
  type GateProblem,
  type PaywallProblem,
  type UnavailableProblem,
} from "./problem.js";
export { ServiceUnavailable } from "./service.js";

/**
 * The one gate of a Next.js host. What is not given comes from the environment in which the server runs, read with the
 * first call, so that a build needs none of it: `BILLING_API_URL`, `BILLING_UPGRADE_URL` (default `/pricing`),
 * `BILLING_HOST_ORIGIN`, `BILLING_KEYS` and `BILLING_ROLLOUT` (the documents, as JSON), `BILLING_INSECURE_COOKIES=1`,
 * `BILLING_EVENTS_SECRET` (one or several, comma-separated).
 */
export function nextGate(options: Partial<GateOptions> = {}): Gate {
  let made: Gate | undefined;
  const gate = (): Gate => (made ??= createGate({ ...fromEnvironment(process.env), cookies, after, ...options }));
  return {
    withFeature: (...guarded) => (request, context) => gate().withFeature(...guarded)(request, context),
    gatedAction: (...guarded) => (...args) => gate().gatedAction(...guarded)(...args),
    onBillingEvent: (handle) => {
      let receive: ReturnType<Gate["onBillingEvent"]> | undefined;
      return (request) => (receive ??= gate().onBillingEvent(handle))(request);
    },
    session: {
      GET: (request) => gate().session.GET(request),
      POST: (request) => gate().session.POST(request),
      DELETE: (request) => gate().session.DELETE(request),
    },
  };
}

function fromEnvironment(env: NodeJS.ProcessEnv): Omit<GateOptions, "cookies" | "after"> {
  const apiUrl = env.BILLING_API_URL ?? env.NEXT_PUBLIC_BILLING_API_URL;
  if (!apiUrl) throw new Error("BILLING_API_URL is not set: where is the billing API?");
  const json = (name: string): unknown => {
    try {
      return env[name] ? JSON.parse(env[name]) : undefined;
    } catch (cause) {
      throw new Error(`${name} is no JSON`, { cause });
    }
  };
  const knownKeys = json("BILLING_KEYS") as KeySet | undefined;
  const rollout = json("BILLING_ROLLOUT") as Rollout | undefined;
  return {
    apiUrl: apiUrl.replace(/\/$/, ""),
    upgradeUrl: env.BILLING_UPGRADE_URL ?? "/pricing",
    // On a developer's machine there is no TLS, and not every browser takes its cookies without.
    secure: env.NODE_ENV === "production" && env.BILLING_INSECURE_COOKIES !== "1",
    ...(env.BILLING_HOST_ORIGIN && { origin: listed(env.BILLING_HOST_ORIGIN) }),
    ...(env.BILLING_EVENTS_SECRET && { eventsSecrets: listed(env.BILLING_EVENTS_SECRET) }),
    ...(knownKeys && { knownKeys }),
    ...(rollout && { rollout }),
  };
}

const listed = (text: string): string[] => text.split(",").map((part) => part.trim()).filter(Boolean);
