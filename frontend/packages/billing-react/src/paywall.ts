import type { Schemas } from "@bitsleuth/billing-api-client";

export type PaywallProblem = Schemas["FeatureLockedProblem"];

/**
 * The 402 problem inside an error, however a client wrapped it: an `ApiError`, a typed result of a server action, or
 * a text with the JSON in it ("Server returned: 402: {…}"). Null when it is something else.
 */
export function parsePaywallError(error: unknown): PaywallProblem | null {
  const candidates = [error, field(error, "problem"), field(error, "error"), embedded(field(error, "message") ?? error)];
  const found = candidates.find((candidate) => field(candidate, "code") === "feature_locked");
  return (found as PaywallProblem | undefined) ?? null;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function embedded(text: unknown): unknown {
  const json = typeof text === "string" ? /\{.*\}/s.exec(text)?.[0] : undefined;
  try {
    return json === undefined ? undefined : (JSON.parse(json) as unknown);
  } catch {
    return undefined;
  }
}
