/** What the billing service tells a host by webhook: verified after the Standard Webhooks specification, each once. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { seconds } from "./claims.js";

/** Times are RFC 3339; `data` is described in docs/events of the billing service. `id` is the same at every try. */
export interface BillingEvent {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A delivery that must not be believed; the message says why, never what it holds. */
export class InvalidEvent extends Error {
  override readonly name = "InvalidEvent";
}

/** The ids that were handled. The default is this process; keep them where all processes see them to handle each once. */
export interface HandledEvents {
  has(id: string): boolean | Promise<boolean>;
  add(id: string): void | Promise<void>;
}

export interface ReceiverOptions {
  /** `whsec_…`, or several while one is replaced. */
  readonly secrets: readonly string[];
  readonly handled?: HandledEvents;
  readonly now?: () => number;
}

export type EventHandler = (event: BillingEvent) => void | Promise<void>;

/** Seconds by which the time of a try may differ from this clock. */
const TOLERANCE = 300;
const LONGEST_BODY = 64 * 1024;
const KEPT = 20_000;

/** The event in a delivery, over its raw bytes. Throws `InvalidEvent`. */
export function verifyEvent(secrets: readonly string[], headers: Headers, body: Uint8Array, now = seconds()): BillingEvent {
  const id = headers.get("webhook-id");
  const at = headers.get("webhook-timestamp") ?? "";
  if (!id || !/^\d{1,12}$/.test(at)) throw new InvalidEvent("this is no signed delivery");
  if (Math.abs(now - Number(at)) > TOLERANCE) throw new InvalidEvent("the delivery is too old, or a clock is wrong");
  const listed = (headers.get("webhook-signature") ?? "").split(" ").filter((part) => part.startsWith("v1,"));
  const signatures = listed.map((part) => Buffer.from(part.slice(3), "base64"));
  const genuine = secrets.some((secret) => {
    const expected = createHmac("sha256", keyOf(secret)).update(`${id}.${at}.`).update(body).digest();
    return signatures.some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected));
  });
  if (!genuine) throw new InvalidEvent("no secret of ours signed this delivery");
  return eventOf(id, body);
}

function keyOf(secret: string): Buffer {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  if (key.length < 24) throw new Error("this is no secret of an endpoint: it begins with whsec_");
  return key;
}

function eventOf(id: string, body: Uint8Array): BillingEvent {
  try {
    const parsed = JSON.parse(Buffer.from(body).toString("utf8")) as Partial<BillingEvent>;
    const { type, timestamp, data } = parsed;
    if (typeof type === "string" && typeof timestamp === "string" && typeof data === "object") return { id, type, timestamp, data };
  } catch {
    // Answered below, like everything else that is no event.
  }
  throw new InvalidEvent("this is no event");
}

/**
 * A route for deliveries: 401 for what is not genuine, 200 once `handle` has ended or had ended before, 500 when it
 * failed, so that it comes again.
 */
export function createReceiver(options: ReceiverOptions, handle: EventHandler): (request: Request) => Promise<Response> {
  const { secrets, handled = handledHere(), now = seconds } = options;
  /** What is being handled: a second delivery of it waits for the first. */
  const running = new Map<string, Promise<void>>();

  async function once(event: BillingEvent): Promise<void> {
    if (await handled.has(event.id)) return;
    await handle(event);
    await handled.add(event.id);
  }

  return async (request) => {
    const body = await bytesOf(request);
    if (!body) return answer(413);
    let event: BillingEvent;
    try {
      event = verifyEvent(secrets, request.headers, body, now());
    } catch (error) {
      if (error instanceof InvalidEvent) return answer(401);
      throw error;
    }
    const work = running.get(event.id) ?? once(event).finally(() => running.delete(event.id));
    running.set(event.id, work);
    await work;
    return answer(200);
  };
}

function handledHere(): HandledEvents {
  const ids = new Set<string>();
  return {
    has: (id) => ids.has(id),
    add: (id) => {
      ids.add(id);
      if (ids.size > KEPT) ids.delete(ids.values().next().value as string);
    },
  };
}

/** The body as it was signed; null for more than any delivery has, of which no more is read. */
async function bytesOf(request: Request): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > LONGEST_BODY) {
      await reader.cancel();
      return null;
    }
    parts.push(value);
  }
  return Buffer.concat(parts);
}

function answer(status: number): Response {
  return new Response(null, { status, headers: { "cache-control": "no-store" } });
}
