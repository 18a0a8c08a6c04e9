import { openWays } from "@bitsleuth/entitlements/inventory";
import path from "node:path";
import { expect, test } from "vitest";

const APP = path.join(import.meta.dirname, "app");

test("every route and every action goes through the gate or is listed as free", () => {
  expect(openWays(APP, { free: [`${APP}/api/billing/session/route.ts`] })).toEqual([]);
});
