"use server";

import { ask } from "../lib/ai";
import { gatedAction } from "../lib/gate";

/** A public POST endpoint like every Server Action: the check belongs inside it. */
export const getInsight = gatedAction("ai.insights", async (wallet: string) => new Response(await ask(wallet)).text());
