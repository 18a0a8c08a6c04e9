// @vitest-environment happy-dom
import { act, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { CheckoutReturn } from "./components/CheckoutReturn.js";
import { catalogue, entitlements, status } from "./testing/fixtures.js";
import { refuse, service, show } from "./testing/server.js";

const api = service();
const confirmation = (status: string) => ({ status, plan_id: "pro-month", provider: "stripe", entitlements_version: 2 });
const path = "POST /billing/checkout-sessions/:id/confirm";
const base = { "GET /billing/entitlements": entitlements(), "GET /billing/plans": catalogue, "GET /billing/subscription-status": status() };
afterEach(() => vi.useRealTimers());

test("asks until it is settled, then names what was bought", async () => {
  const answers = ["processing", "completed"];
  api.answers({ ...base, [path]: () => confirmation(answers.shift() ?? "completed") });
  show(<CheckoutReturn checkoutId="co_1" />);
  expect(await screen.findByText("Checking your payment")).toBeTruthy();
  expect(await screen.findByRole("heading", { name: "Pro is yours" }, { timeout: 3000 })).toBeTruthy();
});

test("after a minute it stops asking, says that nothing is lost, and looks again on demand", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  api.answers({ ...base, [path]: () => confirmation("processing") });
  show(<CheckoutReturn checkoutId="co_1" />);
  for (let i = 0; i < 80; i++) await act(() => vi.advanceTimersByTimeAsync(1000));
  expect(screen.getByRole("heading", { name: "Your payment is still on its way" })).toBeTruthy();
  const asked = api.calls.filter(({ call }) => call === path).length;
  expect(asked).toBe(12);
  api.answers({ [path]: confirmation("completed") });
  await act(async () => screen.getByRole("button", { name: "Look again" }).click());
  await act(() => vi.advanceTimersByTimeAsync(1000));
  expect(await screen.findByRole("heading", { name: "Pro is yours" })).toBeTruthy();
});

test("an ended checkout and a failing service each have their way on", async () => {
  api.answers({ ...base, [path]: confirmation("expired") });
  show(<CheckoutReturn checkoutId="co_1" />);
  expect((await screen.findByRole("link", { name: "Choose a plan" })).getAttribute("href")).toBe("/pricing");
  api.answers({ [path]: () => refuse(403, "not_allowed") });
  show(<CheckoutReturn checkoutId="co_2" />);
  expect(await screen.findByText(/If you paid, nothing is lost/)).toBeTruthy();
});

test("a service that is away for a moment is asked again; one that stays away is told", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let away = 2;
  api.answers({ ...base, [path]: () => (away-- > 0 ? refuse(503, "away") : confirmation("completed")) });
  show(<CheckoutReturn checkoutId="co_1" />);
  for (let i = 0; i < 5; i++) await act(() => vi.advanceTimersByTimeAsync(1000));
  expect(await screen.findByRole("heading", { name: "Pro is yours" })).toBeTruthy();
  away = 100;
  show(<CheckoutReturn checkoutId="co_2" />);
  for (let i = 0; i < 10; i++) await act(() => vi.advanceTimersByTimeAsync(1000));
  expect((await screen.findByRole("alert")).textContent).toContain("not available at the moment");
});
