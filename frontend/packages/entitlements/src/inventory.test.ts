import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { openWays, waysInOf } from "./inventory.js";

test("names what is open as the host does, and what is listed as free in vain", () => {
  const root = mkdtempSync(path.join(tmpdir(), "host-"));
  const put = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  put("src/app/api/billing/session/route.ts", "export const { GET, POST, DELETE } = session;");
  put("src/app/api/chat/route.ts", "export const POST = withFeature('ai.chat', ask);");
  put("src/lib/actions.ts", "'use server'; export const a = premium(ask); export const b = ask;");
  const free = [`${root}/src/app/api/billing/session/route.ts`, `${root}/src/gone.ts`];
  expect(openWays(`${root}/src`, { free, gates: ["premium"] })).toEqual([
    `${root}/src/lib/actions.ts b`,
    `${root}/src/gone.ts is listed as free, and is not there`,
  ]);
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
