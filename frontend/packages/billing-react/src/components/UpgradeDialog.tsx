"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useT } from "../text.js";
import { Dialog } from "../ui/Dialog.js";
import LockedCard from "./LockedCard.js";

export interface UpgradeDialogProps {
  feature: string;
  problem?: Partial<Schemas["FeatureLockedProblem"]>;
  onClose: () => void;
}

/** The locked card as a dialog, for a refusal in the middle of something (see `parsePaywallError`). */
export function UpgradeDialog({ feature, problem, onClose }: UpgradeDialogProps) {
  const t = useT();
  return (
    <Dialog onClose={onClose} title={t("upgrade.title")}>
      <LockedCard feature={feature} {...(problem ? { problem } : {})} />
    </Dialog>
  );
}

/**
 * The 402 problem inside an error, however a client wrapped it: an `ApiError`, a typed result of a server action, or
 * a message with the JSON in it ("Server returned: 402: {…}"). Null when it is something else.
 */
export function parsePaywallError(error: unknown): Schemas["FeatureLockedProblem"] | null {
  const candidates = [error, field(error, "problem"), field(error, "error"), embedded(field(error, "message"))];
  const found = candidates.find((candidate) => field(candidate, "code") === "feature_locked");
  return (found as Schemas["FeatureLockedProblem"] | undefined) ?? null;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function embedded(message: unknown): unknown {
  const json = typeof message === "string" ? /\{.*\}/s.exec(message)?.[0] : undefined;
  try {
    return json === undefined ? undefined : (JSON.parse(json) as unknown);
  } catch {
    return undefined;
  }
}
