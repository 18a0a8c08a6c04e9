// @vitest-environment happy-dom
import { screen } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { catalogue, entitlements } from "../../../packages/billing-react/src/testing/fixtures.js";
import { refuse, service, show } from "../../../packages/billing-react/src/testing/server.js";
import { AuditPage } from "./AuditPage.js";
import { EndpointsPage } from "./EndpointsPage.js";
import { EventsPage } from "./EventsPage.js";
import { InvoicesPage } from "./InvoicesPage.js";
import { CallerContext } from "./may.js";
import { PlansPage } from "./PlansPage.js";
import { RevenuePage } from "./RevenuePage.js";
import { RolloutPage } from "./RolloutPage.js";
import { UsersPage } from "./UsersPage.js";
import VouchersPage from "./vouchers/VouchersPage.js";

const api = service();
const READS = [
  ...["plans", "revenue", "metrics/funnel", "metrics/churn", "metrics/cohorts", "users", "users/:id", "invoices"],
  ...["vouchers", "vouchers/:id", "events", "endpoints", "flags", "audit"],
].map((path) => `GET /admin/${path}`);

beforeEach(() =>
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "GET /billing/plans": catalogue,
    ...Object.fromEntries(READS.map((call) => [call, () => refuse(400, "invalid_request")])),
  }),
);

test.each([
  ["plans", PlansPage, ""],
  ["revenue", RevenuePage, ""],
  ["customers", UsersPage, ""],
  ["a customer", UsersPage, "?user=usr_7"],
  ["invoices", InvoicesPage, ""],
  ["vouchers", VouchersPage, ""],
  ["a batch", VouchersPage, "?batch=vb_1"],
  ["events", EventsPage, ""],
  ["endpoints", EndpointsPage, ""],
  ["rollout", RolloutPage, ""],
  ["audit", AuditPage, ""],
] as const)("%s that could not be read are not said to be none", async (_, Page, search) => {
  history.replaceState(null, "", `/console${search}`);
  const { container } = show(
    <CallerContext value={{ user_id: "usr_admin", role: "admin", may: [] }}>
      <Page />
    </CallerContext>,
  );
  expect((await screen.findAllByText("Something in this form is not right."))[0]?.closest("[role=alert]")).not.toBe(null);
  expect(container.querySelector(".admin-empty, .bsb-table, dd.bsb-h3")).toBe(null);
});
