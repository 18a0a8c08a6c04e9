// @vitest-environment happy-dom
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { catalogue, entitlements } from "../../../packages/billing-react/src/testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "../../../packages/billing-react/src/testing/server.js";
import { DaysDialog } from "./DaysDialog.js";
import { EraseDialog } from "./EraseDialog.js";
import { ExplainForm } from "./ExplainForm.js";
import { GrantDialog } from "./GrantDialog.js";
import { CallerContext } from "./may.js";
import { RedriveDialog } from "./EventsPage.js";
import { RefundDialog } from "./RefundDialog.js";
import { RolloutPage } from "./RolloutPage.js";
import { adminPlan } from "./testing.js";

const api = service();
const user = userEvent.setup();
const onClose = vi.fn();
const press = (name: string | RegExp) => user.click(screen.getByRole("button", { name }));
const enabled = (name: string) => !screen.getByRole<HTMLButtonElement>("button", { name }).disabled;
const sent = (call: string) => api.calls.filter((made) => made.call === call).map(({ body }) => body);
const retype = async (label: string, text: string) => {
  await user.clear(screen.getByLabelText(label));
  if (text) await user.type(screen.getByLabelText(label), text);
};
beforeEach(() => api.answers({ "GET /billing/entitlements": entitlements(), "GET /billing/plans": catalogue, "GET /admin/revenue": { totals: { active: 120 } } }));

// --- refunds ---------------------------------------------------------------------------------------------------------

const REFUND = "POST /admin/users/usr_7/refunds";
const effect = {
  provider: "btcpay",
  payment_id: "inv_1",
  outcome: "made",
  refundable_cents: 1900,
  asked_cents: 1250,
  currency: "USD",
  features_lost: [],
  error: null,
};
const payment = { provider: "btcpay", payment_id: "inv_1", amount_cents: 2400, refunded_cents: 500, currency: "USD" };

test("a part of a payment is given back after its effect was seen and the word typed", async () => {
  api.answers({
    [REFUND]: () => {
      const dry_run = sent(REFUND).length === 1;
      const claim_url = dry_run ? null : "https://btcpay.example/claim";
      return { ...effect, dry_run, amount_cents: 1250, features_lost: ["ai.chat"], refund_id: null, claim_url };
    },
  });
  show(<RefundDialog userId="usr_7" payment={payment} onClose={onClose} />);
  expect(screen.getByLabelText<HTMLInputElement>("Amount in USD").value).toBe("19.00");
  for (const wrong of ["", "0", "19.01", "5.005", "all"]) {
    await retype("Amount in USD", wrong);
    expect([wrong, enabled("Show the effect")]).toEqual([wrong, false]);
  }
  await retype("Amount in USD", "12,5");
  await press("Show the effect");
  expect((await screen.findByRole("alert")).textContent).toContain("The user loses: AI chat");
  expect(enabled("Refund $12.50")).toBe(false);
  await retype("Type “refund” to confirm", "refund");
  await expectAccessible();
  await press("Refund $12.50");
  expect((await screen.findByText("https://btcpay.example/claim")).isConnected).toBe(true);
  const [dry, real] = sent(REFUND) as { amount_cents: number; dry_run: boolean; idempotency_key: string }[];
  expect([dry?.amount_cents, dry?.dry_run, real?.amount_cents, real?.dry_run]).toEqual([1250, true, 1250, false]);
  expect(real?.idempotency_key).not.toBe(dry?.idempotency_key);
});

test("a refund of which a part failed says what goes back, and why the rest does not", async () => {
  api.answers({
    [REFUND]: () => {
      const dry_run = sent(REFUND).length === 1;
      const told = dry_run ? { outcome: "preview" } : { outcome: "partly_made", error: "This payment is disputed." };
      return { ...effect, ...told, dry_run, amount_cents: dry_run ? 1900 : 400, asked_cents: 1900, refund_id: null };
    },
  });
  show(<RefundDialog userId="usr_7" payment={payment} undecided onClose={onClose} />);
  await press("Show the effect");
  await user.type(await screen.findByLabelText("Type “refund” to confirm"), "refund");
  await press("Refund $19.00");
  const notice = await screen.findByText("Only $4.00 of $19.00 is being given back.");
  expect(notice.closest("[role]")?.textContent).toContain("This payment is disputed.");
  expect(sent(REFUND)).toMatchObject([{ undecided: true }, { undecided: true }]);
});

test("yen have no smaller unit", async () => {
  api.answers({ [REFUND]: { ...effect, dry_run: true, currency: "JPY", amount_cents: 300, refund_id: null } });
  show(<RefundDialog userId="usr_7" payment={{ ...payment, amount_cents: 500, refunded_cents: 0, currency: "JPY" }} onClose={onClose} />);
  await retype("Amount in JPY", "300.5");
  expect(enabled("Show the effect")).toBe(false);
  await retype("Amount in JPY", "300");
  await press("Show the effect");
  await screen.findByRole("button", { name: "Refund ¥300" });
  expect(sent(REFUND)).toMatchObject([{ amount_cents: 300, dry_run: true }]);
});

// --- erasing ---------------------------------------------------------------------------------------------------------

test("nobody is erased before the whole id was typed, and then the books are accounted for", async () => {
  const ERASE = "DELETE /admin/users/usr_7";
  api.answers({ [ERASE]: { user_id: "usr_7", erased_records: 4, kept_ledger_entries: 2, done: true } });
  show(<EraseDialog userId="usr_7" onClose={onClose} />);
  await user.type(screen.getByLabelText("Type the user id to confirm"), "usr_{Enter}");
  expect(enabled("Erase for good")).toBe(false);
  expect(sent(ERASE)).toEqual([]);
  await user.type(screen.getByLabelText("Type the user id to confirm"), "7");
  await press("Erase for good");
  const told = await screen.findByRole("alert");
  expect(told.textContent).toBe("4 records were deleted.2 ledger lines stay, without the person.");
});

test("whoever still pays is not erased, and it says why", async () => {
  api.answers({ "DELETE /admin/users/usr_7": () => refuse(409, "subscription_live", { detail: "A subscription still charges" }) });
  show(<EraseDialog userId="usr_7" onClose={onClose} />);
  await user.type(screen.getByLabelText("Type the user id to confirm"), "usr_7");
  await press("Erase for good");
  expect((await screen.findByRole("alert")).textContent).toContain("A subscription still charges");
  expect(enabled("Erase for good")).toBe(true);
});

// --- rollout ---------------------------------------------------------------------------------------------------------

const showRollout = () =>
  show(
    <CallerContext value={{ user_id: "usr_admin", role: "admin", may: ["PUT /admin/flags/{name}"] }}>
      <RolloutPage />
    </CallerContext>,
  );
const flags = (version: number, percent: number, allow: string[] = []) => ({ version, salt: "salt", flags: { billing: { percent, allow } } });

test("a flag that somebody else changed meanwhile is shown as it is, before it can be overwritten", async () => {
  const SET = "PUT /admin/flags/billing";
  const newest = flags(2, 40, ["usr_9"]);
  api.answers({
    "GET /admin/flags": flags(1, 10),
    [SET]: () => (sent(SET).length === 1 ? refuse(409, "version_conflict", { newest }) : flags(3, 60, ["usr_9"])),
  });
  showRollout();
  await user.click(await screen.findByRole("button", { name: "Change billing" }));
  await retype("Share of the users", "101");
  expect(enabled("Save")).toBe(false);
  await retype("Share of the users", "60");
  await press("Save");
  expect((await screen.findByRole("alert")).textContent).toContain("In force now: 40% of users and 1 by name (version 2).");
  await press("Take over what is in force");
  await retype("Share of the users", "60");
  await press("Save over it");
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(sent(SET)).toEqual([
    { percent: 60, allow: [], version: 1 },
    { percent: 60, allow: ["usr_9"], version: 2 },
  ]);
});

test("what is read again behind a dialog was not seen: a flag that changed is not overwritten by a second try", async () => {
  const SET = "PUT /admin/flags/billing";
  const newest = flags(2, 40);
  api.answers({
    "GET /admin/flags": () => (sent(SET).length === 0 ? flags(1, 10) : newest),
    [SET]: () => (sent(SET).length === 1 ? refuse(503, "service_unavailable") : refuse(409, "version_conflict", { newest })),
  });
  showRollout();
  await user.click(await screen.findByRole("button", { name: "Change billing" }));
  await retype("Share of the users", "60");
  await press("Save");
  await screen.findByText(/^40% of/);
  await press("Save");
  await screen.findByText(/In force now: 40% of users/);
  expect(sent(SET)).toMatchObject([{ version: 1 }, { version: 1 }]);
});

test("whether a user is in, and why, is told as every host decides it", async () => {
  api.answers({ "GET /admin/flags": flags(1, 50, ["usr_1"]) });
  showRollout();
  const field = await screen.findByLabelText("User id");
  for (const [id, told] of [
    ["usr_1", "InbillingPlace 84 of 0–99. On the list by name."],
    ["usr_2", "InbillingPlace 43 of 0–99. Below 50%."],
    ["usr_6", "OutbillingPlace 66 of 0–99. Not below 50%."],
  ] as const) {
    await user.clear(field);
    await user.type(field, id);
    expect(screen.getByRole("status").textContent).toBe(told);
  }
});

test("a flag is turned off for everybody at once, and put back as it was", async () => {
  const SET = "PUT /admin/flags/billing";
  api.answers({
    "GET /admin/flags": flags(1, 30, ["usr_9"]),
    [SET]: () => (sent(SET).length === 1 ? { version: 2, salt: "salt", flags: { billing: { percent: 0, allow: [] } } } : flags(3, 30, ["usr_9"])),
  });
  showRollout();
  await screen.findByText(/about 36 of 120 who pay today/);
  await press("Turn off billing");
  await press("Off for everybody");
  await screen.findByText("It is off for everybody.");
  await expectAccessible();
  await press("Put back as it was");
  await screen.findByText("It is as it was.");
  expect(sent(SET)).toEqual([
    { percent: 0, allow: [], version: 1 },
    { percent: 30, allow: ["usr_9"], version: 2 },
  ]);
});

// --- dead letters ----------------------------------------------------------------------------------------------------

test("dead letters go back only after a dry run said which", async () => {
  const REDRIVE = "POST /admin/events/redrive";
  api.answers({
    [REDRIVE]: () => {
      const dry_run = sent(REDRIVE).length === 1;
      return { dry_run, items: [{ event_id: "stripe#evt_1", outcome: dry_run ? "would_redrive" : "redriven", reason: null }] };
    },
  });
  show(<RedriveDialog which={["stripe#evt_1"]} onClose={onClose} />);
  expect(screen.queryByRole("button", { name: "Redrive now" })).toBeNull();
  await press("Dry run");
  await screen.findByText("Would be sent back");
  await press("Redrive now");
  await screen.findByText("Sent back to the queue");
  expect(sent(REDRIVE)).toEqual([true, false].map((dry_run) => ({ event_ids: ["stripe#evt_1"], dry_run })));
});

test("when nothing would go, nothing can be sent", async () => {
  api.answers({
    "POST /admin/events/redrive": { dry_run: true, items: [{ event_id: "stripe#evt_1", outcome: "skipped", reason: "it is not in the queue any more" }] },
  });
  show(<RedriveDialog which={["stripe#evt_1"]} onClose={onClose} />);
  await press("Dry run");
  await screen.findByText("it is not in the queue any more");
  expect(enabled("Dry run")).toBe(false);
});

// --- lists that come while a dialog is open --------------------------------------------------------------------------

const PLANS = "GET /admin/plans", CATALOGUE = "GET /billing/plans";

/** The entries of a list, as they grow while answers come one after the other. */
async function growing(label: string, dialog: ReactNode, ...order: string[]) {
  const come: Record<string, () => void> = {};
  const answers = { [CATALOGUE]: catalogue, [PLANS]: { plans: [adminPlan("pro-month")], moves: [] } };
  const late = Object.entries(answers).map(([call, answer]) => [call, () => new Promise<typeof answer>((done) => (come[call] = () => done(answer)))] as const);
  api.answers(Object.fromEntries(late));
  show(dialog);
  const list = screen.getByLabelText<HTMLSelectElement>(label);
  const entries = () => [...list.options].map(({ value }) => value);
  const seen = [entries()];
  for (const call of order) {
    await waitFor(() => expect(come[call]).toBeDefined());
    come[call]?.();
    const before = seen.at(-1) ?? [];
    // As long as one is still to come there may be nothing new to wait for.
    if (call === order.at(-1)) await waitFor(() => expect(entries().length).toBeGreaterThan(before.length));
    else await new Promise((done) => setTimeout(done, 100));
    seen.push(entries());
  }
  return seen;
}

test.each([
  ["features, then plans", "What", <GrantDialog key="grant" userId="usr_7" onClose={onClose} />, [CATALOGUE, PLANS]],
  ["plans, then features", "What", <GrantDialog key="grant" userId="usr_7" onClose={onClose} />, [PLANS, CATALOGUE]],
  ["plans beside the customer's own", "Plan", <DaysDialog key="days" userId="usr_7" planId="pro-month" subscriptions={[]} onClose={onClose} />, [CATALOGUE]],
  ["features beside the customer's own", "Feature", <ExplainForm key="why" userId="usr_7" features={["tax.enhanced"]} />, [CATALOGUE]],
] as const)("whoever chooses while a list is filled hits what they aim at: %s", async (_, label, dialog, order) => {
  const [first = [], ...later] = await growing(label, dialog, ...order);
  let before = first;
  for (const entries of later) {
    expect(entries.slice(0, before.length)).toEqual(before);
    before = entries;
  }
});
