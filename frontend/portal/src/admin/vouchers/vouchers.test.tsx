// @vitest-environment happy-dom
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { catalogue, entitlements } from "../../../../packages/billing-react/src/testing/fixtures.js";
import { refuse, service, show } from "../../../../packages/billing-react/src/testing/server.js";
import { adminPlan } from "../testing.js";
import { MakeDialog } from "./MakeDialog.js";

const api = service();
const user = userEvent.setup();
const answers = { "GET /billing/entitlements": entitlements(), "GET /billing/plans": catalogue };
const open = () => show(<MakeDialog onClose={() => undefined} onMade={() => undefined} />);
const offered = () => within(screen.getByLabelText("Plan")).getAllByRole("option").map((option) => option.textContent);

test("each plan is offered as it is now, and one that is no longer sold is not", async () => {
  const plans = [adminPlan("pro-month", { version: 2, currency: "EUR" }), adminPlan("pro-month"), adminPlan("old-month", { version: 2, status: "archived" }), adminPlan("old-month")];
  api.answers({ ...answers, "GET /admin/plans": { plans, free_plan_id: null, standing: [] } });
  open();
  await screen.findByRole("option", { name: "Pro (pro-month)" });
  expect(offered().slice(1)).toEqual(["Pro (pro-month)"]);
  await user.selectOptions(screen.getByLabelText("Plan"), "pro-month");
  const price = screen.getByLabelText(/\(EUR\)/);
  await user.type(price, "nine");
  expect((await screen.findByRole("alert")).textContent).toBe("The price is not an amount in this currency.");
});

test("plans that could not be read are not no plans", async () => {
  api.answers({ ...answers, "GET /admin/plans": () => refuse(400, "invalid_request") });
  open();
  expect((await screen.findByRole("alert")).textContent).toContain("Something in this form is not right.");
});
