// @vitest-environment happy-dom
import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse } from "msw";
import { afterEach, expect, test, vi } from "vitest";
import LockedCard from "./components/LockedCard.js";
import { withHost } from "./host-session.js";
import { Protected } from "./protected.js";
import { BillingOn, BillingProvider, useEntitlements } from "./provider.js";
import { catalogue, entitlements, status } from "./testing/fixtures.js";
import { API, expectAccessible, refuse, service, sessionOf, show } from "./testing/server.js";

const api = service();
const away = () => HttpResponse.error();
const gate = (
  <Protected feature="ai.chat" fallback={<p>locked</p>} loading={<p>loading</p>} unknown={<p>cannot say</p>}>
    <p>the chat</p>
  </Protected>
);

afterEach(() => {
  vi.useRealTimers();
  for (const name of document.cookie.split("; ")) document.cookie = `${name.split("=")[0] ?? ""}=; max-age=0; path=/`;
});

test.each([
  ["is away", away],
  ["fails", () => refuse(503, "internal")],
  ["is a proxy's page", () => new HttpResponse("<html>", { headers: { "content-type": "text/html" } })],
  ["answers something else", () => ({ hello: "there" })],
])("a service that %s is no reason to say no", async (_, answer) => {
  api.answers({ "GET /billing/entitlements": answer });
  show(gate);
  expect(await screen.findByText("cannot say")).toBeTruthy();
  expect(screen.queryByText("locked")).toBeNull();
});

test("it is asked again by itself, and opens when the service is back", async () => {
  let back = false;
  api.answers({ "GET /billing/entitlements": () => (back ? entitlements({ feature: "ai.chat" }) : HttpResponse.error()) });
  show(gate);
  await screen.findByText("cannot say");
  back = true;
  expect(await screen.findByText("the chat", {}, { timeout: 5_000 })).toBeTruthy();
});

test.each([
  ["the network is back", () => window.dispatchEvent(new Event("online"))],
  ["the page is looked at again", () => window.dispatchEvent(new Event("focus"))],
])("it is asked at once when %s", async (_, happens) => {
  vi.spyOn(Math, "random").mockReturnValue(1);
  let back = false;
  api.answers({ "GET /billing/entitlements": () => (back ? entitlements({ feature: "ai.chat" }) : HttpResponse.error()) });
  show(gate);
  await screen.findByText("cannot say");
  await new Promise((resolve) => setTimeout(resolve, 600));
  back = true;
  const before = api.calls.length;
  act(() => void happens());
  await vi.waitFor(() => expect(api.calls.length).toBe(before + 1));
  expect(await screen.findByText("the chat")).toBeTruthy();
});

test("a service that hangs is one that cannot be asked", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  api.answers({ "GET /billing/entitlements": () => new Promise<never>(() => {}) });
  show(gate);
  expect(screen.getByText("loading")).toBeTruthy();
  await act(() => vi.advanceTimersByTimeAsync(6_000));
  expect(screen.getByText("cannot say")).toBeTruthy();
});

test("what was open stays open while it cannot be checked, and a no that was said stays one", async () => {
  let up = true;
  api.answers({ "GET /billing/entitlements": () => (up ? entitlements({ feature: "ai.chat" }) : HttpResponse.error()) });
  let refresh = async () => {};
  function Refresh() {
    ({ refresh } = useEntitlements());
    return null;
  }
  show([gate, <Protected key="other" feature="other" fallback={<p>not this</p>}>other</Protected>, <Refresh key="r" />]);
  await screen.findByText("the chat");
  up = false;
  await act(() => refresh());
  expect(screen.getByText("the chat")).toBeTruthy();
  expect(screen.getByText("not this")).toBeTruthy();
});

test("what has ended since may have been renewed", async () => {
  let up = true;
  const soon = new Date(Date.now() + 400).toISOString();
  const list = entitlements({ feature: "ai.chat", expires_at: soon });
  api.answers({ "GET /billing/entitlements": () => (up ? list : HttpResponse.error()) });
  let refresh = async () => {};
  function Refresh() {
    ({ refresh } = useEntitlements());
    return null;
  }
  show([gate, <Refresh key="r" />]);
  await screen.findByText("the chat");
  up = false;
  await new Promise((resolve) => setTimeout(resolve, 500));
  await act(() => refresh());
  expect(screen.getByText("cannot say")).toBeTruthy();
});

test("without a slot of its own, a card says so, and asks again when told to", async () => {
  let back = false;
  api.answers({ "GET /billing/entitlements": () => (back ? entitlements({ feature: "ai.chat" }) : HttpResponse.error()) });
  show(<Protected feature="ai.chat">the chat</Protected>);
  expect(await screen.findByRole("heading", { name: "This could not be checked" })).toBeTruthy();
  expect(screen.queryByText(/Unlock|not in your plan/)).toBeNull();
  await expectAccessible();
  back = true;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("the chat")).toBeTruthy();
});

test("a locked card says nothing before the service has, and no price on a guess", async () => {
  let refused = false;
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/subscription-status": status(),
    "GET /billing/entitlements": entitlements(),
    "GET /billing/entitlements/:feature": () =>
      refused ? refuse(402, "feature_locked", { scenario: "expired", offers: [] }) : refuse(400, "strange"),
  });
  show(<LockedCard feature="tax.enhanced" />);
  expect(await screen.findByRole("heading", { name: "This could not be checked" })).toBeTruthy();
  refused = true;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("heading", { name: "Enhanced tax report has expired" })).toBeTruthy();
});

test("a page whose host refuses its session does not show as open what the host keeps shut", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  api.answers({ "GET /billing/entitlements": entitlements({ feature: "ai.chat" }) });
  const host = () => Promise.resolve(Response.json({ code: "not_allowed", detail: "this host is internal" }, { status: 403 }));
  show(gate, null, { session: withHost(sessionOf("usr_1"), "/session", host) });
  expect(await screen.findByText("cannot say")).toBeTruthy();
  expect(said).toHaveBeenCalledWith(expect.stringContaining("refused"), expect.stringContaining("this host is internal"));
});

const rollout = (percent: number, ...allow: string[]) => ({ salt: "s", flags: { billing: { percent, allow } } });
const hosted = [gate, <BillingOn key="on" fallback={<p>as before</p>}>pricing</BillingOn>];

test("at 0 % everything is as it was: open, and nothing is asked but the rollout", async () => {
  api.answers({ "GET /billing/config": rollout(0) });
  show(hosted, "usr_1", { flag: "billing" });
  expect(await screen.findByText("the chat")).toBeTruthy();
  expect(screen.getByText("as before")).toBeTruthy();
  await vi.waitFor(() => expect(localStorage.getItem("bitsleuth-billing-rollout")).toContain("billing"));
  expect(document.cookie).toBe("");
  expect(new Set(api.calls.map(({ call }) => call))).toEqual(new Set(["GET /billing/config"]));
});

test("the rollout is fetched as browsers want it", async () => {
  function strict(this: unknown) {
    if (this !== undefined && this !== globalThis) throw new TypeError("Illegal invocation");
    return Promise.resolve(Response.json(rollout(0)));
  }
  show(gate, null, { flag: "billing", fetch: strict });
  expect(await screen.findByText("the chat")).toBeTruthy();
});

test("at 100 % it is gated", async () => {
  api.answers({ "GET /billing/config": rollout(100) });
  show(hosted, null, { flag: "billing" });
  expect(await screen.findByText("locked")).toBeTruthy();
  expect(screen.getByText("pricing")).toBeTruthy();
});

test("in part, a stranger keeps the same answer, and a tester on the list is in", async () => {
  api.answers({ "GET /billing/config": rollout(50), "GET /billing/entitlements": entitlements() });
  const answers = new Set<string>();
  let visitor = "";
  for (let time = 0; time < 3; time++) {
    const page = show(<BillingOn fallback={<p>out</p>}>in</BillingOn>, null, { flag: "billing" });
    await vi.waitFor(() => expect(document.cookie).toContain("bitsleuth_visitor="));
    visitor ||= document.cookie;
    expect(document.cookie).toBe(visitor);
    answers.add(page.container.textContent ?? "");
    page.unmount();
  }
  expect(answers.size).toBe(1);
  localStorage.clear();
  api.answers({ "GET /billing/config": rollout(0, "usr_1") });
  show(gate, "usr_1", { flag: "billing" });
  expect(await screen.findByText("locked")).toBeTruthy();
});

test("a rollout that was read before holds while the service is away; one that never was is unknown", async () => {
  api.answers({ "GET /billing/config": away });
  const page = show(gate, null, { flag: "billing" });
  expect(await screen.findByText("cannot say")).toBeTruthy();
  page.unmount();
  localStorage.setItem("bitsleuth-billing-rollout", JSON.stringify(rollout(0)));
  render(
    <BillingProvider apiUrl={API} session={sessionOf(null)} flag="billing">
      {gate}
    </BillingProvider>,
  );
  expect(await screen.findByText("the chat")).toBeTruthy();
});
