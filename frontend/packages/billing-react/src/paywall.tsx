"use client";

import { parseGateProblem, type GateProblem } from "@bitsleuth/entitlements";
import { lazy, Suspense, useCallback, useState, type ReactNode } from "react";
import { isOpen, type Snapshot } from "./entitlements.js";
import { useBilling, useEntitlements } from "./provider.js";

const GateDialog = lazy(() => import("./components/GateDialog.js"));

/** What a call gave when it was let in: the data of a gated action's result, and everything else as it is. */
export type LetIn<T> = T extends { ok: true; data: infer D } ? D : T extends { ok: false; error: GateProblem } ? never : T;

export interface Paywall {
  /**
   * Calls a gated route or action of the host, once its servers know who is asking. The answer is null when it was
   * refused, or could not be checked; `dialog` then says why, unless the call is `quiet`. Other errors pass through.
   */
  run<T>(call: () => Promise<T>, options?: { quiet?: boolean }): Promise<LetIn<T> | null>;
  /** Render it anywhere: why the last call was refused and what opens it. */
  readonly dialog: ReactNode;
}

/** For calls that may be refused: shows why, and what to buy. */
export function usePaywall(): Paywall {
  const { store, session } = useBilling();
  const { ready } = useEntitlements();
  const [problem, setProblem] = useState<GateProblem | null>(null);
  const run = useCallback(
    async <T,>(call: () => Promise<T>, { quiet = false } = {}): Promise<LetIn<T> | null> => {
      await ready();
      let made = await attempt(call);
      // Its cookies may have ended while the page slept: whoever is known is not refused before both sides agree.
      if (made.problem && session.userId !== null && session.tellAgain) {
        await Promise.all([session.tellAgain().catch(() => undefined), store.refresh()]);
        if (mayOpen(made.problem, store.snapshot())) made = await attempt(call);
      }
      if (!made.problem) return made.value;
      if (!quiet) setProblem(made.problem);
      return null;
    },
    [ready, session, store],
  );
  return { run, dialog: problem && shown(problem, () => setProblem(null)) };
}

/** Whether another try can end differently: it could not be checked, or the service says that it is open. */
function mayOpen(problem: GateProblem, { entitlements }: Snapshot): boolean {
  if (problem.code !== "feature_locked") return true;
  return isOpen(entitlements?.entitlements.find(({ feature }) => feature === problem.feature), Date.now());
}

function shown(problem: GateProblem, onClose: () => void): ReactNode {
  return (
    <Suspense fallback={null}>
      <GateDialog problem={problem} onClose={onClose} />
    </Suspense>
  );
}

type Made<T> = { value: LetIn<T>; problem: null } | { problem: GateProblem };

async function attempt<T>(call: () => Promise<T>): Promise<Made<T>> {
  try {
    const made = await call();
    const problem = await problemIn(made);
    if (problem) return { problem };
    const value = isResult(made) && made.ok ? made.data : made;
    return { value: value as LetIn<T>, problem: null };
  } catch (error) {
    const problem = parseGateProblem(error);
    if (!problem) throw error;
    return { problem };
  }
}

/** The refusal in a route's answer (402, 503), which stays readable, or in the result of an action. */
async function problemIn(made: unknown): Promise<GateProblem | null> {
  if (made instanceof Response) return [402, 503].includes(made.status) ? parseGateProblem(await made.clone().text()) : null;
  return isResult(made) && !made.ok ? parseGateProblem(made.error) : null;
}

function isResult(made: unknown): made is { ok: boolean; data?: unknown; error?: unknown } {
  if (typeof made !== "object" || made === null || made instanceof Response || !("ok" in made)) return false;
  return made.ok === true ? "data" in made : made.ok === false && "error" in made;
}
