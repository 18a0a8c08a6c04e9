import path from "node:path";
import { expect, test } from "vitest";
import { waysIn, waysInOf } from "./gates.js";

/** What may be called by anybody, because it costs nothing. */
const FREE = ["GET", "POST", "DELETE"].map((method) => `app/api/billing/session/route.ts ${method}`);

const found = waysIn(path.join(import.meta.dirname, "app"));

test("every route and every action goes through the gate or is listed as free", () => {
  const open = found.filter(({ name, gated }) => !gated && !FREE.includes(name));
  expect(open.map(({ name }) => name)).toEqual([]);
});

test("what is listed as free is there", () => {
  expect(FREE.filter((name) => !found.some((way) => way.name === name))).toEqual([]);
});

test.each([
  ["route.ts", "export async function POST() { return ask(); }", ["route.ts POST"]],
  ["route.ts", "export const POST = async () => ask();", ["route.ts POST"]],
  ["route.ts", "export { POST } from './elsewhere';", ["route.ts export { POST } from './elsewhere';"]],
  ["route.ts", "export const revalidate = 300; export const POST = gate.withFeature('a', ask);", []],
  ["actions.ts", "'use server'; export async function a() { return ask(); } async function b() {}", ["actions.ts a"]],
  ["actions.ts", "'use server'; export async function a() { return gate().gatedAction('a', ask)(); }", []],
  ["page.tsx", "export default function Page() { async function a() { 'use server'; ask(); } return <form action={a} />; }", ["page.tsx a"]],
  ["page.tsx", "export default function Page() { return <p>withFeature</p>; }", []],
])("finds the open ways in of %s: %s", (file, text, open) => {
  expect(waysInOf(file, text).filter(({ gated }) => !gated).map(({ name }) => name)).toEqual(open);
});
