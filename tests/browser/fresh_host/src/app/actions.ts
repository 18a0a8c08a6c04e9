"use server";

import { ask } from "@/lib/ai";

export async function getInsight(wallet: string) {
  return ask(`insight into ${wallet}`);
}
