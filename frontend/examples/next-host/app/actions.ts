"use server";

import type { ActionResult } from "@bitsleuth/entitlements/next";
import { ask } from "../lib/ai";
import { gate } from "../lib/gate";

/** A public POST endpoint like every Server Action: the check belongs inside it. */
export async function getInsight(wallet: string): Promise<ActionResult<string>> {
  const gated = gate().gatedAction("ai.insights", async (name: string) => new Response(await ask(name)).text());
  return gated(wallet);
}
