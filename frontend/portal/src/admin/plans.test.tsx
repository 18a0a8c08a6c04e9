// @vitest-environment happy-dom
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { catalogue, entitlements } from "../../../packages/billing-react/src/testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "../../../packages/billing-react/src/testing/server.js";
import { ArchiveDialog } from "./ArchiveDialog.js";
import { CallerContext } from "./may.js";
import { MoveDialog } from "./MoveDialog.js";
import { PlanEditor } from "./PlanEditor.js";
import { PlanVersions } from "./PlanVersions.js";
import { adminPlan } from "./testing.js";

const api = service();
const user = userEvent.setup();
const onDone = vi.fn();
const month = adminPlan("pro-month");
const year = adminPlan("pro-year", { interval: "year", price_cents: 19000 });
const effect = (plan_id: string) => ({
  plan_id, from_version: 1, to_version: 2, subscribers: 3, subscribers_older: 0, currency: "USD",
  price_was_cents: 1900, price_cents: 2300, price_change_cents: 400, features_gained: [], features_lost: [], features_changed: ["ai.chat"],
  changes: [{ feature: "ai.chat", before: { limit: 1000, per: "month" }, after: { limit: 800, per: "month" } }],
  versions: [{ from_version: 1, subscribers: 3, price_cents: 1900, currency: "USD", price_change_cents: 400, mrr_cents: 5700, mrr_change_cents: 1200, features_gained: [], features_lost: [], features_changed: [], changes: [] }],
  faults: [],
  warnings: [{ code: "differs", before: null, after: null, plan_id: "pro-year" }],
});

beforeEach(() => {
  sessionStorage.clear();
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "GET /billing/plans": catalogue,
    "POST /admin/plans/pro-month/preview": effect("pro-month"),
    "POST /admin/plans/pro-year/preview": effect("pro-year"),
  });
});

test("a price is changed for one plan alone, with its effect in numbers; what is written together does not differ", async () => {
  show(<PlanEditor offer={{ key: "main/pro", plans: [month, year] }} onDone={onDone} />);
  await user.clear(screen.getByLabelText("Price per month"));
  await user.type(screen.getByLabelText("Price per month"), "23");
  const told = await screen.findByRole("group", { name: "pro-month" });
  expect(within(told).getByText("New buyers pay $23.00 in place of $19.00.")).toBeTruthy();
  expect(within(told).getByText("+$12.00")).toBeTruthy();
  expect(told.textContent).not.toContain("is of the same offer");
  expect(screen.queryByRole("group", { name: "pro-year" })).toBeNull();
  await expectAccessible();
});

test("what the service refuses stands at its field, in the page's words", async () => {
  const errors = [
    { path: "prices/1/currency", message: "XXX is no currency", code: "unknown_currency" },
    { path: "features/tax.enhanced", message: "tax.enhanced is a switch", code: "feature_kind" },
  ];
  api.answers({ "PUT /admin/offers": () => refuse(400, "invalid_request", { errors }) });
  show(<PlanEditor offer={{ key: "main/pro", plans: [month, year] }} onDone={onDone} />);
  await user.type(screen.getByLabelText("Name"), "!");
  await user.click(screen.getByRole("button", { name: "Publish" }));
  expect(await screen.findByText("This currency is not known.")).toBeTruthy();
  expect(screen.getByLabelText("Currency per year").getAttribute("aria-invalid")).toBe("true");
  expect(screen.getByLabelText("Currency per month").getAttribute("aria-invalid")).toBeNull();
  expect(screen.getByText("This feature is of another kind.")).toBeTruthy();
  expect(onDone).not.toHaveBeenCalled();
});

test("a draft is back after the page was left, until it is discarded", async () => {
  const offer = { key: "main/pro", plans: [month, year] };
  const first = show(<PlanEditor offer={offer} onDone={onDone} />);
  await user.type(screen.getByLabelText("Name"), "!");
  first.unmount();
  show(<PlanEditor offer={offer} onDone={onDone} />);
  expect(screen.getByLabelText<HTMLInputElement>("Name").value).toBe("Pro!");
  await user.click(screen.getByRole("button", { name: "Discard it" }));
  expect(screen.getByLabelText<HTMLInputElement>("Name").value).toBe("Pro");
  expect(sessionStorage.length).toBe(0);
});

test("plans that have drifted apart are named, and what differs", () => {
  const less = { ...year, features: { "ai.chat": { limit: 800, per: "month" } } };
  show(<PlanEditor offer={{ key: "main/pro", plans: [month, less] }} onDone={onDone} />);
  expect(screen.getByText("They differ in: Features. Here stands what pro-month has; publishing gives it to all.")).toBeTruthy();
});

test("the free plan is archived only after its id was typed", async () => {
  const ARCHIVE = "POST /admin/plans/free/archive";
  api.answers({ [ARCHIVE]: adminPlan("free", { status: "archived" }) });
  show(<ArchiveDialog plan={adminPlan("free", { price_cents: 0 })} free onClose={onDone} />);
  const archive = screen.getByRole<HTMLButtonElement>("button", { name: "Archive" });
  expect(archive.disabled).toBe(true);
  await user.type(screen.getByLabelText("Type free to confirm"), "free");
  await user.click(archive);
  await vi.waitFor(() => expect(api.calls.find(({ call }) => call === ARCHIVE)?.body).toEqual({ anyway: true }));
});

test("two versions stand side by side, and what differs is shown", async () => {
  const newer = adminPlan("pro-month", { version: 2, price_cents: 2300, features: { "ai.chat": { limit: 800, per: "month" } } });
  show(<PlanVersions versions={[newer, month]} standing={[{ plan_id: "pro-month", version: 1, currency: "USD", subscribers: 3, trialing: 1, mrr_cents: 5700 }]} />);
  const rows = within(screen.getByRole("group", { name: "Side by side" })).getAllByRole("row").map((row) => row.textContent);
  expect(rows.some((row) => row?.includes("$19.00") && row.includes("$23.00"))).toBe(true);
  expect(rows.some((row) => row?.includes("1,000") && row.includes("800"))).toBe(true);
  expect(rows.some((row) => row?.startsWith("Name"))).toBe(false);
  await user.click(screen.getByLabelText("Also what is the same"));
  expect(screen.getByRole("row", { name: /^Name/ })).toBeTruthy();
  await expectAccessible();
});

const MOVE = "GET /admin/plans/pro-month/move";
const counts = { moved: 3, waiting: 2, refused: 0, undone: 0, not_undone: 0 };
const terms = { plan_id: "pro-month", to_version: 2, percent: 5, per_hour: 50, notice_days: 14 };
const moveAs = (status: string, over: object = {}) => ({ ...counts, ...terms, status, effects: [], started_at: "2026-11-01T00:00:00Z", started_by: "usr_admin", ...over });

function steer(may: readonly string[] = ["POST /admin/plans/{plan_id}/move"]) {
  return show(
    <CallerContext value={{ user_id: "usr_staff", role: "admin", may: [...may] }}>
      <MoveDialog plan={adminPlan("pro-month", { version: 2 })} onClose={onDone} />
    </CallerContext>,
  );
}

test.each([
  ["running", ["Stop", "Undo", "Go on with these settings"]],
  ["stopped", ["Undo", "Go on with these settings"]],
  ["undoing", ["Stop"]],
] as const)("a move that is %s is steered by whoever may move, and seen by all others", async (state, acts) => {
  api.answers({ [MOVE]: moveAs(state) });
  for (const may of [["POST /admin/plans/{plan_id}/move"], []] as const) {
    const { unmount } = steer(may);
    expect((await screen.findByText(/3 moved/)).textContent).toContain("2 waiting");
    const offered = within(screen.getByRole("dialog")).getAllByRole("button").map(({ textContent }) => textContent);
    for (const name of ["Stop", "Undo", "Go on with these settings"]) expect([name, offered.includes(name)]).toEqual([name, may.length > 0 && (acts as readonly string[]).includes(name)]);
    unmount();
  }
});

test("a move is taken back after a question, and read again while it goes on", async () => {
  vi.useFakeTimers({ toFake: ["setInterval"] });
  const UNDO = "POST /admin/plans/pro-month/move/undo";
  const sent = (call: string) => api.calls.filter((made) => made.call === call);
  api.answers({ [MOVE]: () => moveAs(sent(UNDO).length > 0 ? "undoing" : "running", { moved: 2 + sent(MOVE).length }), [UNDO]: moveAs("undoing") });
  steer();
  await screen.findByText(/3 moved/);
  vi.advanceTimersByTime(60_000);
  await screen.findByText(/4 moved/);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(sent(UNDO)).toEqual([]);
  const question = await screen.findByRole("dialog", { name: "Undo this move?" });
  await expectAccessible();
  await user.click(within(question).getByRole("button", { name: "Undo" }));
  await screen.findByText("Being undone");
  expect(screen.queryByRole("dialog", { name: "Undo this move?" })).toBeNull();
  vi.useRealTimers();
});

test("a move that is refused as another was begun meanwhile says so, beside the other one", async () => {
  let begun = false;
  api.answers({
    [MOVE]: () => (begun ? moveAs("undoing", { started_at: "2026-11-02T00:00:00Z", started_by: "usr_other" }) : moveAs("stopped")),
    "POST /admin/plans/pro-month/move": () => ((begun = true), refuse(409, "move_open")),
  });
  steer();
  await user.click(await screen.findByRole("button", { name: "Go on with these settings" }));
  await screen.findByText(/by usr_other/);
  expect(screen.getByRole("alert").isConnected).toBe(true);
});
