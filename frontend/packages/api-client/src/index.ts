import createClient, { type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, paths };
export type Schemas = components["schemas"];
export type Client = ReturnType<typeof createBillingClient>;

export interface ClientOptions {
  /** Origin of the API, e.g. `https://billing.example.org`; empty for the page's own. */
  baseUrl?: string;
  /** The caller's session token, asked before every call; null for an anonymous one. */
  token?: () => string | null | Promise<string | null>;
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

/** Typed calls: `client.GET("/billing/plans")`. */
export function createBillingClient({ baseUrl = "", token, fetch }: ClientOptions = {}) {
  const client = createClient<paths, "application/json">({ baseUrl, ...(fetch ? { fetch } : {}) });
  if (token) client.use(authorization(token));
  return client;
}

function authorization(token: NonNullable<ClientOptions["token"]>): Middleware {
  return {
    async onRequest({ request }) {
      const value = request.headers.has("Authorization") ? null : await token();
      if (value) request.headers.set("Authorization", `Bearer ${value}`);
      return request;
    },
  };
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
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, "network", "The billing service could not be reached.");
  }
  if (answer.response.ok) return answer.data as T;
  throw toApiError(answer.response, answer.error);
}

function toApiError(response: Response, body: unknown): ApiError {
  const problem: Record<string, unknown> = typeof body === "object" && body !== null ? { ...body } : {};
  const text = (name: string, otherwise: string) => (typeof problem[name] === "string" ? problem[name] : otherwise);
  return new ApiError(
    response.status,
    text("code", "unexpected_answer"),
    text("detail", `The billing service answered ${response.status}.`),
    problem,
    response.headers.get("x-request-id") ?? response.headers.get("apigw-requestid"),
  );
}
