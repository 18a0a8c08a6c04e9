import type { Client as TypedClient } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, paths };
export type Schemas = components["schemas"];
/** The types are those of openapi-fetch; the few lines that do the work are here, for pages that load little. */
export type Client = Pick<TypedClient<paths, "application/json">, "GET" | "PUT" | "POST" | "PATCH" | "DELETE">;

export interface ClientOptions {
  /** Origin of the API, e.g. `https://billing.example.org`; empty for the page's own. */
  baseUrl?: string;
  /** The caller's session token, asked before every call; null for an anonymous one. */
  token?: () => string | null | Promise<string | null>;
  /** Told which token was refused: the sign-in it is of has ended somewhere else. */
  onRejected?: (token: string) => void;
  fetch?: typeof globalThis.fetch;
}

/** A refusal by the API: an RFC 9457 problem document with a stable `code`. */
export class ApiError extends Error {
  override name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly problem: Readonly<Record<string, unknown>> = {},
    /** Names this call in the API's log. */
    readonly requestId: string | null = null,
  ) {
    super(detail);
  }

  /** Whether the same call may succeed a moment later. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

// A call that hangs is one that never arrived. What is read is asked again: this is longer than a provider that does not
// answer holds the service up. The rest has until after the service's gateway gave up (30 seconds).
const READ_MS = 20_000;
const WRITE_MS = 35_000;

interface Call extends Omit<RequestInit, "body"> {
  params?: { path?: Readonly<Record<string, unknown>>; query?: Readonly<Record<string, unknown>> };
  body?: unknown;
  /** What is read is a text, in place of JSON. */
  parseAs?: "text";
}

/** Typed calls: `client.GET("/billing/plans")`. */
export function createBillingClient({ baseUrl = "", token, onRejected, fetch }: ClientOptions = {}): Client {
  const caller = (method: string) => async (path: string, { params = {}, body, ...init }: Call = {}) => {
    const headers = new Headers(init.headers);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    const value = headers.has("Authorization") ? null : await token?.();
    if (value) headers.set("Authorization", `Bearer ${value}`);
    const url = baseUrl + path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params.path?.[name])));
    const signal = AbortSignal.timeout(method === "GET" ? READ_MS : WRITE_MS);
    const request = new Request(url + searchOf(params.query), { signal, ...init, body: JSON.stringify(body), method, headers });
    const answer = await answerOf(await (fetch ?? globalThis.fetch)(request), init.parseAs);
    if (value && isRejection(answer)) onRejected?.(value);
    return answer;
  };
  const methods = ["GET", "PUT", "POST", "PATCH", "DELETE"].map((method) => [method, caller(method)] as const);
  return Object.fromEntries(methods) as unknown as Client;
}

/** 401, and the gateway's own 403, which names no code. */
function isRejection({ response: { status }, error }: Answer<unknown>): boolean {
  return status === 401 || (status === 403 && !(error as { code?: string } | undefined)?.code);
}

function searchOf(query: Readonly<Record<string, unknown>> = {}): string {
  const present = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(present.map(([name, value]) => [name, String(value)])).toString();
  return search && `?${search}`;
}

/** A body that should be JSON and is not throws: something else answered. */
async function answerOf(response: Response, plain?: "text"): Promise<Answer<unknown>> {
  const text = await response.text();
  if (response.ok) return { data: plain ? text : text ? JSON.parse(text) : undefined, response };
  try {
    return { error: JSON.parse(text), response };
  } catch {
    return { error: text, response };
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer; throws `ApiError` for a problem document and for a call that never arrived. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if ((cause as Error).name === "AbortError") throw cause;
    throw new ApiError(0, "network", "The billing service did not answer.");
  }
  if (answer.response.ok) return answer.data as T;
  throw toApiError(answer.response, answer.error);
}

function toApiError(response: Response, body: unknown): ApiError {
  const problem: Record<string, unknown> = typeof body === "object" ? { ...body } : {};
  const text = (name: string, otherwise: string) => (typeof problem[name] === "string" ? problem[name] : otherwise);
  return new ApiError(
    response.status,
    text("code", "unexpected_answer"),
    text("detail", `The billing service answered ${response.status}.`),
    problem,
    response.headers.get("x-request-id") ?? response.headers.get("apigw-requestid"),
  );
}
