// @vitest-environment happy-dom
import type { Schemas } from "@bitsleuth/billing-api-client";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { catalogue, entitlements, receipt, status, subscription } from "../../../packages/billing-react/src/testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "../../../packages/billing-react/src/testing/server.js";
import { CallerContext } from "./may.js";
import { InvoicesPage } from "./InvoicesPage.js";
import { UserPage } from "./UserPage.js";

const api = service();
const user = userEvent.setup();
const ID = "sub_1";
const ONE = `POST /admin/users/usr_7/subscriptions/${ID}`;
const sent = (call: string) => api.calls.filter((made) => made.call === call).map(({ body }) => body);
const press = async (name: string | RegExp) => user.click(await screen.findByRole("button", { name }));

/** What the service lets a role do, as its own document says. */
function mayOf(role: "viewer" | "support" | "admin"): string[] {
  const ranks = ["viewer", "support", "admin"];
  const { paths } = JSON.parse(readFileSync("../docs/openapi.json", "utf8")) as {
    paths: Record<string, Record<string, { "x-role"?: string }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => ranks.indexOf(operation["x-role"] ?? "none") >= 0 && ranks.indexOf(operation["x-role"] ?? "") <= ranks.indexOf(role))
      .map(([method]) => `${method.toUpperCase()} ${path}`),
  );
}

const live = { ...subscription, subscription_id: ID };
const invoice: Schemas["AdminInvoice"] = {
  ...{ user_id: "usr_7", provider: "btcpay", purchase_id: "inv_9", plan_id: "pro-month", status: "underpaid", amount_cents: 1900, received_cents: 949 },
  ...{ received_sat: 900, due_cents: 951, surplus_cents: 0, refunded_cents: 0, refundable_cents: 949, undecided_cents: 949, duplicate_of: null, refunds: [] },
  ...{ currency: "USD", accepted_by: null, needs_decision: true, vanished_cents: 0, created_at: "2026-11-01T00:00:00Z", expires_at: null },
  ...{ refund_id: null, claim_url: null, claim_urls: [], outcome: null, parts: [], error: null },
};
const detail = {
  user_id: "usr_7",
  status: { ...status(), subscriptions: [live] },
  facts: [
    {
      ...{ provider: live.provider, subscription_id: ID, customer_id: "cus_1", created_at: "2026-01-01T00:00:00Z", period_start: "2026-11-01T00:00:00Z" },
      ...{ quantity: 1, collection_paused: false, canceled_at: null, cancel_reason: null, acts: ["cancel_at_end", "cancel_now", "change", "resume"] },
      ...{ url: "https://provider.example/sub_1", customer_url: null },
    },
  ],
  money: [{ currency: "USD", payments: 2, paid_cents: 3800, returned_cents: 500, disputed_cents: 0, kept_cents: 3300 }],
  undecided: [invoice],
  notes: [{ note_id: "left_1", text: "Too dear for me", at: "2026-11-02T00:00:00Z", author: null, subscription_id: ID, kept_until: "2027-05-01T00:00:00Z" }],
  entitlements: [],
  grants: [{ grant_id: "grant_1", features: { "ai.chat": true }, granted_by: "usr_admin", reason: "a gift", granted_at: "2026-11-01T00:00:00Z", expires_at: null, revoked_at: null }],
  payments: [receipt({ refunded_cents: 0 })],
  timeline: [],
};

beforeEach(() =>
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "GET /billing/plans": catalogue,
    "GET /admin/users/usr_7": detail,
    "GET /admin/invoices": { invoices: [invoice], cannot_see: {} },
  }),
);

const as = (role: "viewer" | "support" | "admin", page = <UserPage userId="usr_7" />) =>
  show(<CallerContext value={{ user_id: "usr_staff", role, may: mayOf(role) }}>{page}</CallerContext>);

const OF_SUPPORT = ["Grant features", "Give days", "Read again", "Refund", "Revoke", "Remove", "Add note"];
const OF_ADMIN = ["Export", "Erase", "Accept as paid", "Change plan", "Take back the end", "Cancel subscription"];

test.each([
  ["viewer", [], [...OF_SUPPORT, ...OF_ADMIN]],
  ["support", OF_SUPPORT, OF_ADMIN],
  ["admin", [...OF_SUPPORT, ...OF_ADMIN], []],
] as const)("a %s sees the acts that the service lets them do, and no other", async (role, seen, unseen) => {
  as(role);
  await screen.findByText("Too dear for me");
  for (const name of seen) expect([name, screen.queryAllByRole("button", { name }).length > 0]).toEqual([name, true]);
  for (const name of unseen) expect([name, screen.queryAllByRole("button", { name }).length]).toEqual([name, 0]);
  await expectAccessible();
});

test("on the list of invoices too", async () => {
  as("viewer", <InvoicesPage />).unmount();
  as("support", <InvoicesPage />);
  expect(await screen.findByRole("button", { name: "Refund" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Accept as paid" })).toBe(null);
});

test("the page says what a subscription is, what came in all, and why somebody left", async () => {
  as("viewer");
  const card = await screen.findByRole("region", { name: `Subscription ${ID}` });
  expect(within(card).getByRole("link", { name: /Open at/ }).getAttribute("href")).toBe("https://provider.example/sub_1");
  expect(within(card).getByText(/Renews on/)).toBeTruthy();
  expect(screen.getByText("Lifetime").nextSibling?.textContent).toBe("$33.00");
  expect(screen.getByText(/Said when leaving/).textContent).toContain("kept until");
});

const effect = (outcome: string, kind: string) => ({
  outcome,
  subscription: { ...live, next: { ...live.next, kind, at: "2026-12-10T00:00:00Z" } },
  if_canceled: { access_until: "2026-12-10T00:00:00Z", waived_cents: 0, currency: "USD", features: [{ feature: "ai.chat", before: { limit: 1000, per: "month" }, after: { limit: 5, per: "month" } }] },
});

test("an end shows what is lost before it is done, and says afterwards what happened", async () => {
  api.answers({
    [`${ONE}/cancel`]: () => effect((sent(`${ONE}/cancel`).at(-1) as { dry_run: boolean }).dry_run ? "preview" : "done", "ends"),
  });
  as("admin");
  await press("Cancel subscription");
  // The free plan has some of it: nothing is lost, there is less.
  const less = (await screen.findByText("What the customer has after that")).parentElement;
  expect(less?.textContent).toContain("AI chat1,000 per month");
  expect(less?.textContent).toContain("5 per month");
  await expectAccessible();
  await user.click(screen.getByRole("radio", { name: "Now, at once" }));
  await press("Cancel now");
  expect(await screen.findByText("Done")).toBeTruthy();
  expect(sent(`${ONE}/cancel`)).toEqual([
    { at_period_end: true, dry_run: true },
    { at_period_end: false, dry_run: true },
    { at_period_end: false, reason: null, dry_run: false },
  ]);
});

test.each([
  ["a grant is taken back", "Revoke", "Revoke this grant?", "POST /admin/users/usr_7/grants/grant_1/revoke", detail.grants[0]],
  ["a note is removed", "Remove", "Remove this note?", "DELETE /admin/users/usr_7/notes/left_1", {}],
])("%s after a question", async (_, act, question, call, answer) => {
  api.answers({ [call]: answer });
  as("support");
  await press(act);
  expect(sent(call)).toEqual([]);
  const dialog = await screen.findByRole("dialog", { name: question });
  await expectAccessible();
  await user.click(within(dialog).getByRole("button", { name: act }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBe(null));
  expect(sent(call)).toHaveLength(1);
});

test("an act that is refused says why, and can be tried again", async () => {
  api.answers({ [`${ONE}/resume`]: () => refuse(409, "nothing_to_resume") });
  as("admin");
  await press("Take back the end");
  expect((await screen.findByRole("alert")).textContent).toContain("There is nothing to take back.");
  expect(within(screen.getByRole("dialog")).getByRole<HTMLButtonElement>("button", { name: "Take back the end" }).disabled).toBe(true);
});

test("days are given once, after it was seen until when they reach", async () => {
  const DAYS = "POST /admin/users/usr_7/days";
  api.answers({
    [DAYS]: () => {
      const { dry_run } = sent(DAYS).at(-1) as { dry_run: boolean };
      return { outcome: dry_run ? "preview" : "done", grant_id: "grant_2", features: ["ai.chat"], given_at: "2026-11-28T00:00:00Z", until: "2026-12-20T00:00:00Z", reason: "an outage" };
    },
  });
  as("support");
  await press("Give days");
  await user.type(screen.getByLabelText("Reason"), "an outage");
  await press("Show the effect");
  expect(await screen.findByText("No charge at the provider is moved by this.")).toBeTruthy();
  await press("Give 7 days");
  expect(await screen.findByText("Done")).toBeTruthy();
  expect(screen.getByText("No charge at the provider is moved by this.")).toBeTruthy();
  const [shown, given] = sent(DAYS) as { idempotency_key: string; dry_run: boolean }[];
  expect([shown?.dry_run, given?.dry_run, shown?.idempotency_key]).toEqual([true, false, given?.idempotency_key]);
});
