import { redirect } from "next/navigation.js";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { SESSION_COOKIE, TOKEN_COOKIE, VISITOR_COOKIE } from "./cookies.js";
import { createGate, type Gate, type GateOptions } from "./gate.js";
import { giveBack } from "./metering.js";
import { place } from "./rollout.js";
import { FakeService, Jar, NOW } from "./testing.js";

let service: FakeService;
let jar: Jar;
let options: GateOptions;
let gate: Gate;
let tasks: (() => Promise<void>)[];

beforeEach(() => {
  service = new FakeService();
  jar = new Jar();
  tasks = [];
  options = {
    apiUrl: "https://billing.example",
    upgradeUrl: "https://portal.example/pricing",
    cookies: () => Promise.resolve(jar),
    after: (task) => tasks.push(task),
    now: () => service.now,
    fetch: service.fetch,
  };
  gate = createGate(options);
});

function signIn(): void {
  jar.values.set(SESSION_COOKIE, service.session);
  jar.values.set(TOKEN_COOKIE, service.token());
}

async function settle(): Promise<void> {
  for (const task of tasks.splice(0)) await task();
}

const request = (init?: RequestInit) => new Request("https://host.example/api/chat", init);

describe("withFeature", () => {
  const expensive = vi.fn(() => Promise.resolve(new Response("answer")));
  const call = (metering = {}) => gate.withFeature("ai.chat", expensive, metering)(request(), undefined);

  beforeEach(() => expensive.mockClear());

  it("turns away without a token, asks nobody, and never calls what it guards", async () => {
    const answer = await call();
    expect(answer.status).toBe(402);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(await answer.json()).toMatchObject({ code: "feature_locked", upgrade_url: "https://portal.example/pricing" });
    expect(expensive).not.toHaveBeenCalled();
    expect(service.calls).toEqual([]);
  });

  it("lets in with a token and makes no call but for the key set, once", async () => {
    service.features = { "ai.chat": true };
    signIn();
    expect([(await call()).status, (await call()).status]).toEqual([200, 200]);
    expect(service.calls).toEqual(["GET /.well-known/jwks.json"]);
  });

  it("keeps every call out of the framework's own cache", async () => {
    const caches: (RequestCache | undefined)[] = [];
    service.rollout = { salt: "s", flags: { billing: { percent: 100, allow: [] } } };
    gate = createGate({ ...options, flag: "billing", fetch: (url, init) => (caches.push(init?.cache), service.fetch(url, init)) });
    jar.values.set(SESSION_COOKIE, service.session);
    expect((await call()).status).toBe(402);
    expect(service.calls).toHaveLength(4);
    expect(new Set(caches)).toEqual(new Set(["no-store"]));
  });

  it("asks once more before it refuses, so a purchase opens at once", async () => {
    signIn();
    service.features = { "ai.chat": true };
    expect((await call()).status).toBe(200);
    expect(service.calls).toContain("GET /billing/entitlements");
    const before = service.calls.length;
    expect((await call()).status).toBe(200);
    expect(service.calls.length).toBe(before);
  });

  it("refuses with the service's own document, offers and all", async () => {
    signIn();
    const problem = (await (await call()).json()) as { offers: object[] };
    expect(problem.offers).toHaveLength(1);
  });

  it("closes with the end of the token when the feature is gone", async () => {
    service.features = { "ai.chat": true };
    signIn();
    service.features = {};
    service.now = NOW + 299;
    expect((await call()).status).toBe(200);
    service.now = NOW + 300;
    expect((await call()).status).toBe(402);
  });

  it("refuses a forged token and one of another user's making", async () => {
    jar.values.set(TOKEN_COOKIE, `${service.token().slice(0, -8)}AAAAAAAA`);
    expect((await call()).status).toBe(402);
  });

  it("says 503 when nobody can be asked, and does not let in", async () => {
    signIn();
    service.down = true;
    const answer = await call();
    expect(answer.status).toBe(503);
    expect(expensive).not.toHaveBeenCalled();
  });

  it("says 503 when something else answers in the service's place", async () => {
    signIn();
    service.garbled = true;
    expect((await call()).status).toBe(503);
    expect(expensive).not.toHaveBeenCalled();
  });

  it("stays with that while it may not even ask for the key set again", async () => {
    service.features = { "ai.chat": true };
    signIn();
    service.down = true;
    const first = (await call()).status;
    service.down = false;
    expect([first, (await call()).status]).toEqual([503, 503]);
    service.now += 10;
    expect((await call()).status).toBe(200);
  });

  it("lets a new process say yes without the network, where it was given the keys", async () => {
    gate = createGate({ ...options, knownKeys: service.issuer.keys });
    service.features = { "ai.chat": true };
    signIn();
    service.down = true;
    service.now += 299;
    expect((await call()).status).toBe(200);
    service.now += 1;
    expect((await call()).status).toBe(503);
  });

  it("waits once for a service that does not answer, and then lets one call try", async () => {
    gate = createGate({ ...options, keys: service.issuer.keys });
    signIn();
    service.down = true;
    expect([(await call()).status, (await call()).status, (await call()).status]).toEqual([503, 503, 503]);
    expect(service.calls).toHaveLength(1);
    service.now += 5;
    service.features = { "ai.chat": true };
    service.down = false;
    expect((await call()).status).toBe(200);
  });

  it("believes the service's own yes where no token held", async () => {
    gate = createGate({ ...options, keys: { keys: [] } });
    service.features = { "ai.chat": true };
    signIn();
    expect((await call()).status).toBe(200);
  });

  it("says 503 for what is metered when no token held: it could not be counted", async () => {
    gate = createGate({ ...options, keys: { keys: [] } });
    service.features = { "ai.chat": { limit: 5, remaining: 5 } };
    signIn();
    expect((await call({ meter: "after" })).status).toBe(503);
  });

  it("takes a session that the service does not know for no refusal", async () => {
    jar.values.set(SESSION_COOKIE, "ended");
    expect((await call()).status).toBe(503);
  });

  it("takes somebody else's 402 for no refusal", async () => {
    const proxy = () => Promise.resolve(Response.json({ message: "quota" }, { status: 402 }));
    gate = createGate({ ...options, keys: service.issuer.keys, fetch: proxy });
    signIn();
    expect((await call({ meter: "reserve" })).status).toBe(503);
  });

  it("shares one refresh among all who ask at the same time", async () => {
    signIn();
    service.features = { "ai.chat": true };
    await Promise.all(Array.from({ length: 10 }, () => call()));
    expect(service.calls.filter((c) => c === "GET /billing/entitlements")).toHaveLength(1);
  });

  describe("metered after the response", () => {
    it("stops at the remainder although nothing was reported yet", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 2 } };
      signIn();
      // The service still believes in two: only this process knows that they are used.
      const statuses = [(await call({ meter: "after" })).status, (await call({ meter: "after" })).status];
      expect(statuses).toEqual([200, 200]);
      expect((await call({ meter: "after" })).status).toBe(402);
      await settle();
      expect(service.used.map((u) => u.amount)).toEqual([1, 1]);
      expect(service.features["ai.chat"]).toMatchObject({ remaining: 0 });
    });

    it("does not count what failed", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 5 } };
      signIn();
      const failing = gate.withFeature("ai.chat", () => new Response("", { status: 500 }), { meter: "after" });
      await failing(request(), undefined);
      await expect(
        gate.withFeature("ai.chat", () => Promise.reject(new Error("boom")), { meter: "after" })(request(), undefined),
      ).rejects.toThrow("boom");
      await settle();
      expect(service.used).toEqual([]);
    });

    it("counts an answer that sends the browser elsewhere, which Next throws", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 5 } };
      signIn();
      const onward = (): never => redirect("/answer/1");
      const route = gate.withFeature("ai.chat", onward, { meter: "after" })(request(), undefined);
      await expect(route).rejects.toThrow("NEXT_REDIRECT");
      const action = gate.gatedAction("ai.chat", () => Promise.resolve().then(onward), { meter: "reserve" })();
      await expect(action).rejects.toThrow("NEXT_REDIRECT");
      await settle();
      expect(service.used.map((u) => u.action)).toEqual(["reserve", "consume", "settle"]);
    });

    it("reports a use once, whatever the network does in between", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 5 } };
      signIn();
      await call({ meter: "after" });
      service.down = true;
      const failed = settle();
      await expect(failed).rejects.toThrow();
      expect(service.calls.filter((c) => c === "POST /billing/usage")).toHaveLength(2);
    });

    it("is not opened by a token alone, which nobody could count", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 5 } };
      signIn();
      jar.values.delete(SESSION_COOKIE);
      expect((await call({ meter: "after" })).status).toBe(402);
    });

    it("follows a new token, which knows what was reported", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 1 } };
      signIn();
      await call({ meter: "after" });
      await settle();
      service.features = { "ai.chat": { limit: 5, remaining: 4 } };
      service.now += 1;
      expect((await call({ meter: "after" })).status).toBe(200);
    });
  });

  describe("given back", () => {
    const failing = (metering: { meter: "after" | "reserve" }, body: () => ReadableStream | string) =>
      gate.withFeature("ai.chat", () => new Response(body()), metering)(request(), undefined);
    const sadly = () => {
      giveBack();
      return "Sorry, the model is away.";
    };

    beforeEach(() => {
      service.features = { "ai.chat": { limit: 5, remaining: 1 } };
      signIn();
    });

    it("costs nothing, here and at the service", async () => {
      expect((await failing({ meter: "after" }, sadly)).status).toBe(200);
      await settle();
      expect(service.used).toEqual([]);
      // The one use that was left still is.
      expect((await call({ meter: "after" })).status).toBe(200);
    });

    it("releases what was held", async () => {
      await failing({ meter: "reserve" }, sadly);
      await settle();
      expect(service.used.map((u) => u.action)).toEqual(["reserve", "release"]);
    });

    it("may be said while the answer streams", async () => {
      let pulls = 0;
      const stream = () =>
        new ReadableStream<Uint8Array>({
          pull(controller) {
            if (pulls++ === 0) return controller.enqueue(new TextEncoder().encode("So "));
            giveBack();
            controller.close();
          },
        });
      const answer = await failing({ meter: "after" }, stream);
      expect(await answer.text()).toBe("So ");
      await settle();
      expect(service.used).toEqual([]);
    });

    it("is a stream that breaks off", async () => {
      const stream = () =>
        new ReadableStream<Uint8Array>({
          pull(controller) {
            controller.error(new Error("the model hung up"));
          },
        });
      const answer = await failing({ meter: "after" }, stream);
      await expect(answer.text()).rejects.toThrow();
      await settle();
      expect(service.used).toEqual([]);
    });

    it("is not a stream that nobody wants to hear to its end", async () => {
      const stream = () => new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new Uint8Array([65])) });
      await (await failing({ meter: "after" }, stream)).body?.cancel();
      await settle();
      expect(service.used).toHaveLength(1);
    });

    it("works in an action too", async () => {
      const gated = gate.gatedAction("ai.chat", () => Promise.resolve(sadly()), { meter: "after" });
      expect(await gated()).toMatchObject({ ok: true });
      await settle();
      expect(service.used).toEqual([]);
    });
  });

  describe("reserved before", () => {
    it("holds, works and settles", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 1 } };
      signIn();
      expect((await call({ meter: "reserve" })).status).toBe(200);
      await settle();
      expect(service.used.map((u) => u.action)).toEqual(["reserve", "settle"]);
    });

    it("gives back what failed", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 1 } };
      signIn();
      await gate.withFeature("ai.chat", () => new Response("", { status: 500 }), { meter: "reserve" })(request(), undefined);
      await settle();
      expect(service.used.map((u) => u.action)).toEqual(["reserve", "release"]);
    });

    it("takes what was given for longer than its reservation was held, and nothing of what failed by then", async () => {
      const expired: typeof fetch = (url, init) =>
        /"(settle|release)"/.test(String(init?.body)) ? Promise.resolve(new Response("{}", { status: 404 })) : service.fetch(url, init);
      gate = createGate({ ...options, fetch: expired });
      service.features = { "ai.chat": { limit: 5, remaining: 1 } };
      signIn();
      await call({ meter: "reserve" });
      await settle();
      expect(service.used.map((u) => u.action)).toEqual(["reserve", "consume"]);
      await gate.withFeature("ai.chat", () => new Response("", { status: 500 }), { meter: "reserve" })(request(), undefined);
      await settle().catch(() => undefined);
      expect(service.used.map((u) => u.action)).toEqual(["reserve", "consume", "reserve"]);
    });

    it("refuses when nothing is left, whatever the token says", async () => {
      service.features = { "ai.chat": { limit: 5, remaining: 3 } };
      signIn();
      service.features = { "ai.chat": { limit: 5, remaining: 0 } };
      expect((await call({ meter: "reserve" })).status).toBe(402);
    });
  });
});

describe("gatedAction", () => {
  it("returns the refusal, because a thrown one would be opaque", async () => {
    const action = vi.fn((text: string) => Promise.resolve(text.length));
    const gated = gate.gatedAction("ai.insights", action);
    expect(await gated("hello")).toMatchObject({ ok: false, error: { code: "feature_locked", feature: "ai.insights" } });
    expect(action).not.toHaveBeenCalled();
    service.features = { "ai.insights": true };
    signIn();
    expect(await gated("hello")).toEqual({ ok: true, data: 5 });
  });
});

describe("gatedAction, when it cannot be checked,", () => {
  it("says so, and neither lets in nor throws", async () => {
    const action = vi.fn(() => Promise.resolve("insight"));
    signIn();
    service.down = true;
    expect(await gate.gatedAction("ai.insights", action)()).toMatchObject({
      ok: false,
      error: { code: "billing_unavailable", status: 503 },
    });
    expect(action).not.toHaveBeenCalled();
  });
});

describe("gatedAction with a token that has ended", () => {
  it("renews it in this process and sets no cookie, which would render the page anew", async () => {
    service.features = { "ai.insights": true };
    jar.values.set(SESSION_COOKIE, service.session);
    const gated = gate.gatedAction("ai.insights", () => Promise.resolve("insight"));
    expect([await gated(), await gated()]).toMatchObject([{ ok: true }, { ok: true }]);
    expect(jar.options.size).toBe(0);
    expect(service.calls.filter((call) => call === "GET /billing/entitlements")).toHaveLength(1);
  });
});

describe("under a rollout", () => {
  const expensive = () => Promise.resolve(new Response("answer"));
  const call = () => gate.withFeature("ai.chat", expensive, { meter: "after" })(request(), undefined);
  const rollout = (percent: number, ...allow: string[]) => ({ salt: "s", flags: { billing: { percent, allow } } });
  /** Two names of visitors: one whom half of the rollout reaches, and one whom it does not. */
  const visitors = Array.from({ length: 50 }, (_, n) => `v${String(n)}`);
  const [inside, outside] = [true, false].map((wanted) => visitors.find((id) => place("s", "billing", id) < 50 === wanted) ?? "");

  beforeEach(() => {
    gate = createGate({ ...options, flag: "billing" });
  });

  it("of 0 % is open to everybody, counts nothing and asks for nothing but the rollout", async () => {
    service.rollout = rollout(0);
    signIn();
    expect([(await call()).status, (await call()).status]).toEqual([200, 200]);
    expect(await gate.gatedAction("ai.insights", () => Promise.resolve("insight"))()).toEqual({ ok: true, data: "insight" });
    await settle();
    expect(service.calls).toEqual(["GET /billing/config"]);
  });

  it("that does not name the flag is one of 0 %", async () => {
    service.rollout = { salt: "s", flags: {} };
    expect((await call()).status).toBe(200);
  });

  it("of 100 % refuses", async () => {
    service.rollout = rollout(100);
    expect((await call()).status).toBe(402);
  });

  it("of a part treats a visitor the same with each call", async () => {
    service.rollout = rollout(50);
    const answers = [];
    for (const visitor of [inside, outside, inside, outside]) {
      jar.values.set(VISITOR_COOKIE, String(visitor));
      answers.push((await call()).status);
    }
    expect(answers).toEqual([402, 200, 402, 200]);
  });

  it("reaches a tester on its list at 0 %, also when their token has ended", async () => {
    service.rollout = rollout(0, "usr_1");
    expect((await call()).status).toBe(200);
    jar.values.set(SESSION_COOKIE, service.session);
    expect((await call()).status).toBe(402);
  });

  it("goes on while it cannot be read", async () => {
    service.rollout = rollout(0);
    await call();
    service.rollout = null;
    service.now += 1000;
    expect([(await call()).status, (await call()).status]).toEqual([200, 200]);
  });

  it("follows a change within its minute", async () => {
    service.rollout = rollout(0);
    await call();
    service.rollout = rollout(100);
    service.now += 60;
    await call();
    await vi.waitFor(async () => expect((await call()).status).toBe(402));
  });

  it("that was never read lets in whom a token lets in, and refuses nobody", async () => {
    expect((await call()).status).toBe(503);
    service.features = { "ai.chat": { limit: 5, remaining: 5 } };
    signIn();
    expect((await call()).status).toBe(200);
  });

  it("holds from the start where a new process is given it", async () => {
    gate = createGate({ ...options, flag: "billing", rollout: rollout(0) });
    service.down = true;
    expect((await call()).status).toBe(200);
  });
});

describe("the session route", () => {
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    gate.session.POST(
      request({ method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } }),
    );

  it("takes a session and keeps it where no script can read it", async () => {
    service.features = { "ai.insights": true };
    const answer = await post({ session_token: service.session });
    expect(await answer.json()).toMatchObject({ signedIn: true, features: { "ai.insights": true } });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    for (const name of [SESSION_COOKIE, TOKEN_COOKIE]) {
      expect(jar.options.get(name)).toMatchObject({ httpOnly: true, secure: true, sameSite: "lax", path: "/" });
    }
  });

  it("names its cookies so that no sister domain can plant one, where TLS allows it", async () => {
    expect([SESSION_COOKIE, TOKEN_COOKIE]).toEqual(["__Host-bitsleuth_session", "__Host-bitsleuth_entitlements"]);
    const local = createGate({ ...options, secure: false });
    await local.session.POST(
      request({
        method: "POST",
        body: JSON.stringify({ session_token: service.session }),
        headers: { "content-type": "application/json" },
      }),
    );
    expect([...jar.values.keys()].sort()).toEqual(["bitsleuth_entitlements", "bitsleuth_session"]);
    expect(await (await local.session.GET(request())).json()).toMatchObject({ signedIn: true });
  });

  it("refuses a session that is too long for a cookie, and says so: browsers would drop it silently", async () => {
    service.session = "x".repeat(4096 - SESSION_COOKIE.length);
    expect((await post({ session_token: service.session })).status).toBe(200);
    service.session += "x";
    const answer = await post({ session_token: service.session });
    expect([answer.status, jar.values.get(SESSION_COOKIE)?.length]).toEqual([403, 4096 - SESSION_COOKIE.length]);
    expect(await answer.json()).toMatchObject({ code: "not_allowed", detail: expect.stringContaining("4073 characters") as string });
  });

  it("keeps nothing of a session that the service does not know", async () => {
    expect((await post({ session_token: "stolen" })).status).toBe(401);
    expect(jar.values.size).toBe(0);
  });

  it.each([[{}], [{ session_token: 5 }], [{ session_token: "a b\r\nc" }], [null]])("refuses %j", async (body) => {
    expect((await post(body)).status).toBe(400);
  });

  it("takes nothing from another origin", async () => {
    const headers = { origin: "https://evil.example", host: "host.example" };
    expect((await post({ session_token: service.session }, headers)).status).toBe(403);
    expect((await gate.session.DELETE(request({ method: "DELETE", headers }))).status).toBe(403);
  });

  it.each([
    ["two proxies", { "x-forwarded-host": "app.example, internal" }, {}],
    ["a proxy that says nothing, with the origin configured", { host: "internal" }, { origin: "https://app.example" }],
  ])("knows its own pages behind %s", async (_, seen, configured) => {
    gate = createGate({ ...options, ...configured });
    expect((await post({ session_token: service.session }, { origin: "https://app.example", ...seen })).status).toBe(200);
    const foreign = await post({ session_token: service.session }, { origin: "https://internal", ...seen });
    expect(foreign.status).toBe(403);
    expect(await foreign.json()).toMatchObject({ code: "not_allowed", detail: expect.stringContaining("https://internal") });
  });

  it("renews a token that has ended, and says so to nobody who is signed out", async () => {
    expect(await (await gate.session.GET(request())).json()).toMatchObject({ signedIn: false, features: {} });
    signIn();
    service.now = NOW + 1000;
    expect(await (await gate.session.GET(request())).json()).toMatchObject({ signedIn: true, expiresAt: NOW + 1300 });
  });

  it("forgets", async () => {
    signIn();
    await gate.session.DELETE(request({ method: "DELETE" }));
    expect(jar.options.get(SESSION_COOKIE)).toMatchObject({ maxAge: 0 });
    expect(await (await gate.session.GET(request())).json()).toMatchObject({ signedIn: false });
  });
});

describe("what is metered is counted on the one who has it", () => {
  const answered = vi.fn(() => Promise.resolve(new Response("answer")));
  const metered = () => gate.withFeature("ai.chat", answered, { meter: "after" })(request(), undefined);
  const FIVE = { limit: 5, remaining: 5 };
  beforeEach(() => {
    answered.mockClear();
    service.features = { "ai.chat": FIVE };
    signIn();
  });

  it("gives nothing for a token beside a session that is none", async () => {
    jar.values.set(SESSION_COOKIE, "garbage");
    for (let n = 0; n < 20; n++) {
      expect((await metered()).status).toBe(503);
      await settle();
    }
    expect(answered).not.toHaveBeenCalled();
  });

  it("gives by the session's own user, not by another's token beside it", async () => {
    jar.values.set(TOKEN_COOKIE, service.issuer.token({ sub: "usr_rich", f: { "ai.chat": { limit: 500, remaining: 500 } } }));
    const statuses = [];
    for (let n = 0; n < 7; n++) {
      statuses.push((await metered()).status);
      await settle();
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 402, 402]);
    expect(service.used.filter(({ action }) => action === "consume")).toHaveLength(5);
  });

  it("proves both to be one user without asking anybody", async () => {
    expect((await metered()).status).toBe(200);
    expect(service.calls).toEqual(["GET /.well-known/jwks.json"]);
  });

  it("asks the service once whose a session is that it cannot read itself", async () => {
    service.session = "of-an-identity-provider";
    signIn();
    expect([(await metered()).status, (await metered()).status]).toEqual([200, 200]);
    expect(service.calls.filter((call) => call === "GET /billing/entitlements")).toHaveLength(1);
  });

  it("takes a session that has ended for none", async () => {
    service.now = NOW + 901;
    jar.values.set(TOKEN_COOKIE, service.token());
    service.session = "a-newer-one";
    expect((await metered()).status).toBe(503);
    expect(answered).not.toHaveBeenCalled();
  });

  const silently = async (): Promise<Response> => {
    const answer = await metered();
    service.down = true;
    await Promise.allSettled(tasks.splice(0).map((task) => task()));
    service.down = false;
    return answer;
  };

  it("carries a use that could not be reported over every token to come, and tells it when it can", async () => {
    for (let n = 0; n < 3; n++) expect((await silently()).status).toBe(200);
    service.now += 200;
    jar.values.set(TOKEN_COOKIE, service.token());
    expect(service.used).toHaveLength(0);
    expect([(await metered()).status, (await metered()).status, (await metered()).status]).toEqual([200, 200, 402]);
    await settle();
    expect(service.used.filter(({ action }) => action === "consume")).toHaveLength(5);
    expect(new Set(service.used.map((call) => call.idempotency_key)).size).toBe(5);
    service.now += 200;
    jar.values.set(TOKEN_COOKIE, service.token());
    expect((await metered()).status).toBe(402);
  });

  it("gives nothing more to one whose use it cannot report, until it can", async () => {
    service.features = { "ai.chat": { limit: 1000, remaining: 1000 } };
    jar.values.set(TOKEN_COOKIE, service.token());
    for (let n = 0; n < 25; n++) expect((await silently()).status).toBe(200);
    service.down = true;
    expect((await metered()).status).toBe(503);
    service.down = false;
    expect((await metered()).status).toBe(200);
    expect(service.used.filter(({ action }) => action === "consume")).toHaveLength(25);
  });
});
