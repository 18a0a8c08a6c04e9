export type Scenario = "not_in_plan" | "limit_reached" | "expired" | "payment_failed";

export interface Offer {
  readonly plan_id: string;
  readonly name: string;
  readonly price_cents: number;
  readonly currency: string;
  readonly interval: "month" | "year" | "once";
}

export interface Source {
  readonly kind: string;
  readonly id: string;
  readonly plan_id: string | null;
  readonly reason: string;
  readonly expires_at: string | null;
}

/** The document of a 402 answer (RFC 9457): what is locked, why, and what would open it. */
export interface PaywallProblem {
  readonly type: string;
  readonly title: string;
  readonly status: 402;
  readonly code: "feature_locked";
  readonly detail: string;
  readonly feature: string;
  readonly scenario: Scenario;
  readonly offers: readonly Offer[];
  readonly upgrade_url: string;
  /** The records that gave it once, or would if they were paid. */
  readonly sources?: readonly Source[];
}

/** The document where no server could be asked for its offers. */
export function paywallProblem(feature: string, scenario: Scenario, upgradeUrl: string): PaywallProblem {
  return {
    type: "urn:bitsleuth:feature_locked",
    title: "This feature is locked",
    status: 402,
    code: "feature_locked",
    detail: scenario === "limit_reached" ? "the allowance of this period is used up" : "your plan does not include this feature",
    feature,
    scenario,
    offers: [],
    upgrade_url: upgradeUrl,
    sources: [],
  };
}

/** Access could not be checked: nobody was let in, and nobody was refused. The same call may succeed in a moment. */
export interface UnavailableProblem {
  readonly type: string;
  readonly title: string;
  readonly status: 503;
  readonly code: "billing_unavailable";
  readonly detail: string;
}

export type GateProblem = PaywallProblem | UnavailableProblem;

export const unavailableProblem: UnavailableProblem = {
  type: "urn:bitsleuth:billing_unavailable",
  title: "Try again in a moment",
  status: 503,
  code: "billing_unavailable",
  detail: "access could not be checked",
};

const DEEPEST = 4;

/**
 * Finds the paywall in whatever a call threw or answered: the document itself, a typed result of an action, an error
 * that carries it, or a message that ends with it as JSON (Genkit: `Server returned: 402: {…}`). Null when there is none.
 */
export function parsePaywallError(thrown: unknown): PaywallProblem | null {
  const problem = parseGateProblem(thrown);
  return problem?.code === "feature_locked" ? problem : null;
}

/** The same, for what says that access could not be checked too. */
export function parseGateProblem(thrown: unknown, depth = 0): GateProblem | null {
  if (depth > DEEPEST || thrown === null || thrown === undefined) return null;
  if (typeof thrown === "string") return parseGateProblem(jsonIn(thrown), depth + 1);
  if (typeof thrown !== "object") return null;
  if (isOurs(thrown)) return thrown;
  const holder = thrown as Record<string, unknown>;
  for (const member of ["error", "problem", "body", "data", "details", "cause", "message"]) {
    const problem = parseGateProblem(holder[member], depth + 1);
    if (problem) return problem;
  }
  return null;
}

function isOurs(value: object): value is GateProblem {
  const problem = value as Partial<PaywallProblem>;
  if ((problem.code as string) === "billing_unavailable") return true;
  return problem.code === "feature_locked" && typeof problem.feature === "string" && Array.isArray(problem.offers);
}

function jsonIn(text: string): unknown {
  const start = text.indexOf("{");
  if (start < 0) return null;
  try {
    return JSON.parse(text.slice(start, text.lastIndexOf("}") + 1));
  } catch {
    return null;
  }
}
