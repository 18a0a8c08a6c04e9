import { cleanup, render, type RenderResult } from "@testing-library/react";
import axe from "axe-core";
import { http, HttpResponse, type JsonBodyType } from "msw";
import { setupServer } from "msw/node";
import type { ReactNode } from "react";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { BillingProvider, type BillingProviderProps } from "../provider.js";
import type { Session } from "../session.js";
import * as fixtures from "./fixtures.js";

export const API = "http://api.test";

export type Answer = JsonBodyType | (() => JsonBodyType | Response | Promise<JsonBodyType | Response>);
export interface Call {
  call: string;
  body: unknown;
  authorization: string | null;
}

/** What any page may ask for. */
const DEFAULTS: Record<string, Answer> = {
  "POST /billing/track": {},
  "GET /billing/gifts": { gifts: [] },
  "GET /billing/config": fixtures.config,
  "GET /billing/calendar": { feed: null },
  "GET /billing/wallet": { available: false, days_before: 3, last_sat: null, wallets: [] },
  "GET /billing/messages": { available: false, default_days: [7, 1], on: null, asked_until: null },
};

const VERBS = { GET: http.get, POST: http.post, PUT: http.put, PATCH: http.patch, DELETE: http.delete };

/** A service that gives the answers it is told; `calls` are those it got. Anything else fails the test. */
export function service() {
  const server = setupServer();
  const calls: Call[] = [];
  beforeAll(() => server.listen({ onUnhandledRequest: "error" }));
  afterEach(() => {
    cleanup();
    server.resetHandlers();
    calls.length = 0;
    localStorage.clear();
  });
  afterAll(() => server.close());
  return {
    calls,
    /** `answers({ "GET /billing/plans": catalogue })`; a function is asked for each call. */
    answers(answers: Record<string, Answer>) {
      for (const [call, answer] of Object.entries({ ...DEFAULTS, ...answers })) {
        const [method, path] = call.split(" ") as [keyof typeof VERBS, string];
        const verb = VERBS[method];
        server.use(
          verb(API + path, async ({ request }) => {
            const body: unknown = request.body ? await request.json() : null;
            calls.push({ call, body, authorization: request.headers.get("authorization") });
            const result = typeof answer === "function" ? await answer() : answer;
            return result instanceof Response ? result : HttpResponse.json(result);
          }),
        );
      }
    },
  };
}

export const refuse = (status: number, code: string, over: Record<string, unknown> = {}) =>
  HttpResponse.json(fixtures.problem(status, code, over), { status });

/** A session that is signed in as `userId`, or as nobody. */
export function sessionOf(userId: string | null): Session {
  const listeners = new Set<() => void>();
  let current = userId;
  const set = (next: string | null) => {
    current = next;
    for (const listener of listeners) listener();
  };
  return {
    get userId() {
      return current;
    },
    token: async () => current && "token",
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    signIn: async () => set("usr_1"),
    adopt: () => set("usr_1"),
    signOut: () => set(null),
  };
}

export function show(
  children: ReactNode,
  userId: string | null = "usr_1",
  props: Partial<BillingProviderProps> = {},
): RenderResult {
  return render(
    <BillingProvider apiUrl={API} session={sessionOf(userId)} locale="en" {...props}>
      {children}
    </BillingProvider>,
  );
}

/** No violation that axe can see without a real browser's layout; contrast is checked in Chromium. */
export async function expectAccessible(): Promise<void> {
  const { violations } = await axe.run(document.body, { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
  expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
}
