import { createHmac } from "node:crypto";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ofThisProcess, remembered } from "./changes.js";
import { SESSION_COOKIE, TOKEN_COOKIE } from "./cookies.js";
import { createReceiver, InvalidEvent, verifyEvent, type EventHandler } from "./events.js";
import { createGate } from "./gate.js";
import { FakeService, Jar, NOW } from "./testing.js";

const key = (text: string) => Buffer.from(text.padEnd(32, "."));
const secretOf = (text: string) => `whsec_${key(text).toString("base64")}`;
const NEW = secretOf("new");
const OLD = secretOf("old");
const EVENT = { type: "EntitlementsChanged", timestamp: "2027-01-15T08:00:00Z", data: { user_id: "usr_1", account_version: 7 } };

interface Sent {
  id?: string;
  at?: number;
  by?: string[];
  body?: string;
}

function sent({ id = "evt_1", at = NOW, by = ["new"], body = JSON.stringify(EVENT) }: Sent = {}): Request {
  const macs = by.map((name) => createHmac("sha256", key(name)).update(`${id}.${String(at)}.${body}`).digest("base64"));
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(at),
    "webhook-signature": macs.map((mac) => `v1,${mac}`).join(" "),
  };
  return new Request("https://host.example/api/billing/events", { method: "POST", headers, body });
}

describe("verifyEvent", () => {
  const bytes = Buffer.from(JSON.stringify(EVENT));

  it("believes a vector of the specification's own library", () => {
    const headers = new Headers({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
    const body = Buffer.from('{"test": 2432232314}');
    const read = () => verifyEvent(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], headers, body, 1614265330);
    // The signature holds; it is the body that is no event of ours.
    expect(read).toThrow("this is no event");
    headers.set("webhook-id", "msg_another");
    expect(read).toThrow("no secret of ours");
  });

  it.each([[NEW], [OLD]])("takes one of two signatures, while a secret is replaced", (secret) => {
    const { headers } = sent({ by: ["new", "old"] });
    expect(verifyEvent([secret], headers, bytes, NOW)).toEqual({ id: "evt_1", ...EVENT });
    expect(verifyEvent([NEW, OLD], sent({ by: ["old"] }).headers, bytes, NOW).id).toBe("evt_1");
  });

  it.each([
    ["another's signature", { by: ["stranger"] }],
    ["no signature", { by: [] }],
    ["a try of long ago", { at: NOW - 301 }],
    ["a try of the future", { at: NOW + 301 }],
  ])("does not believe %s", (_, changed) => {
    expect(() => verifyEvent([NEW], sent(changed).headers, bytes, NOW)).toThrow(InvalidEvent);
  });

  it("does not believe a body that was changed, nor one that is no event", () => {
    expect(() => verifyEvent([NEW], sent().headers, Buffer.from("{}"), NOW)).toThrow(InvalidEvent);
    const odd = sent({ body: "[]" });
    expect(() => verifyEvent([NEW], odd.headers, Buffer.from("[]"), NOW)).toThrow(InvalidEvent);
    expect(() => verifyEvent([NEW], new Headers(), bytes, NOW)).toThrow(InvalidEvent);
  });

  it("says that a secret is none, whoever sent what", () => {
    expect(() => verifyEvent(["hunter2"], sent().headers, bytes, NOW)).toThrow("whsec_");
  });
});

describe("createReceiver", () => {
  const handle = vi.fn<EventHandler>();
  const receive = createReceiver({ secrets: [NEW], now: () => NOW }, handle);

  beforeEach(() => handle.mockReset());

  it("answers 401 to what is not genuine and calls nobody", async () => {
    expect((await receive(sent({ by: ["stranger"] }))).status).toBe(401);
    expect((await receive(new Request("https://host.example/", { method: "POST" }))).status).toBe(401);
    expect(handle).not.toHaveBeenCalled();
  });

  it("handles each event once, however often and however close together it comes", async () => {
    const answers = await Promise.all([receive(sent({ id: "evt_a" })), receive(sent({ id: "evt_a" }))]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await receive(sent({ id: "evt_a", at: NOW + 5 }))).status).toBe(200);
    expect(handle).toHaveBeenCalledOnce();
  });

  it("lets an event come again whose handling failed", async () => {
    handle.mockRejectedValueOnce(new Error("the database is away"));
    await expect(receive(sent({ id: "evt_b" }))).rejects.toThrow("away");
    expect((await receive(sent({ id: "evt_b" }))).status).toBe(200);
    expect(handle).toHaveBeenCalledTimes(2);
  });

  it("reads no body that is longer than any delivery", async () => {
    expect((await receive(sent({ body: "x".repeat(65 * 1024) }))).status).toBe(413);
  });
});

describe("a gate that is told", () => {
  let service: FakeService;
  let jar: Jar;

  const gateOf = (changes = remembered()) =>
    createGate({
      apiUrl: "https://billing.example",
      upgradeUrl: "/pricing",
      cookies: () => Promise.resolve(jar),
      after: () => undefined,
      now: () => service.now,
      fetch: service.fetch,
      eventsSecrets: [NEW],
      changes,
    });

  beforeEach(() => {
    service = new FakeService();
    jar = new Jar();
    service.features = { "tax.enhanced": true };
    jar.values.set(SESSION_COOKIE, service.session);
    jar.values.set(TOKEN_COOKIE, service.token());
  });

  it("closes with the next call what its token would have opened for minutes, and opens what stayed", async () => {
    const gate = gateOf();
    const call = async () => (await gate.withFeature("tax.enhanced", () => new Response("report"))(new Request("https://h.example/"), null)).status;
    const receive = gate.onBillingEvent();
    expect(await call()).toBe(200);
    service.version = 7;
    expect((await receive(sent())).status).toBe(200);
    const before = service.calls.length;
    expect(await call()).toBe(200);
    expect(service.calls.length).toBe(before + 1);
    expect(await call()).toBe(200);
    expect(service.calls.length, "the fresh token is believed").toBe(before + 1);
    service.features = {};
    service.version = 8;
    const told = { ...EVENT, data: { user_id: "usr_1", account_version: 8 } };
    expect((await receive(sent({ id: "evt_2", body: JSON.stringify(told) }))).status).toBe(200);
    expect(await call()).toBe(402);
    expect(await call()).toBe(402);
  });

  it("leaves others alone, and what is late changes nothing", async () => {
    const changes = remembered();
    const receive = gateOf(changes).onBillingEvent();
    await receive(sent());
    await receive(sent({ id: "evt_2", body: JSON.stringify({ ...EVENT, data: { user_id: "usr_1", account_version: 6 } }) }));
    expect([changes.versionOf("usr_1"), changes.versionOf("usr_2")]).toEqual([7, undefined]);
  });

  it("has dropped what it knows before the host's own handler runs", async () => {
    const changes = remembered();
    const seen: unknown[] = [];
    await gateOf(changes).onBillingEvent((event) => void seen.push(event.type, changes.versionOf("usr_1")))(sent());
    expect(seen).toEqual(["EntitlementsChanged", 7]);
  });

  it("shares what it was told over all copies of this module in a process", () => {
    ofThisProcess().note("usr_shared", 3);
    expect(ofThisProcess().versionOf("usr_shared")).toBe(3);
  });

  it("does not start without a secret", () => {
    const gate = createGate({ apiUrl: "", upgradeUrl: "", cookies: () => Promise.resolve(jar), after: () => undefined });
    expect(() => gate.onBillingEvent()).toThrow("BILLING_EVENTS_SECRET");
  });
});
