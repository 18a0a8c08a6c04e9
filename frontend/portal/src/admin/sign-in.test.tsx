// @vitest-environment happy-dom
import { render, screen, waitFor } from "@testing-library/react";
import { BillingProvider, createSession } from "@bitsleuth/billing-react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { config, entitlements } from "../../../packages/billing-react/src/testing/fixtures.js";
import { API, expectAccessible, service } from "../../../packages/billing-react/src/testing/server.js";
import Admin from "./Admin.js";

const api = service();
const user = userEvent.setup();
const jwt = (claims: object) => `e30.${btoa(JSON.stringify(claims)).replace(/=/g, "")}.sig`;
const provider = {
  issuer: "https://id.example",
  client_id: "portal",
  authorization_url: "https://id.example/authorize",
  token_url: "https://id.example/token",
  end_session_url: "",
  scope: "openid",
  token: "id",
};
const configured = { ...config, identity_provider: provider };
const caller = (role: string, may: string[]) => ({ user_id: "usr_1", role, may });

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
  history.replaceState(null, "", "/console/users");
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "GET /billing/plans": { plans: [], features: [], payment_providers: {} },
    "GET /billing/config": configured,
    "GET /admin/users": { users: [], next: null, index: { changed_at: null, lag_seconds: null } },
    "GET /admin/plans": { plans: [] },
  });
});

function open(exp: number | null) {
  const session = createSession({ apiUrl: API });
  if (exp !== null) session.adopt(jwt({ sub: "usr_1", exp }));
  render(
    <BillingProvider session={session} apiUrl={API}>
      <Admin section="users" />
    </BillingProvider>,
  );
  return session;
}

test("one button leads to the identity provider, and remembers where one was", async () => {
  const assign = vi.spyOn(location, "assign").mockImplementation(() => undefined);
  history.replaceState(null, "", "/console/users?user=usr_7");
  open(null);
  const button = await screen.findByRole("button", { name: "Sign in with id.example" });
  await expectAccessible();
  await user.click(button);
  await waitFor(() => expect(assign).toHaveBeenCalled());
  expect(String(assign.mock.lastCall?.[0])).toMatch(/^https:\/\/id\.example\/authorize\?response_type=code&/);
  expect(sessionStorage.getItem("bitsleuth-billing-signing-in")).toContain("/console/users?user=usr_7");
});

test("a role sees the sections that it may open, and no role none", async () => {
  api.answers({ "GET /billing/config": configured, "GET /auth/me": caller("viewer", ["GET /admin/users", "GET /admin/audit"]) });
  open(4_000_000_000);
  expect(await screen.findByRole("link", { name: "Customers" })).toBeTruthy();
  expect(screen.getAllByRole("link").map((link) => link.getAttribute("href"))).not.toContain("/console/plans");
});

test("somebody without a role is told as whom they are signed in, and can be somebody else", async () => {
  api.answers({ "GET /billing/config": configured, "GET /auth/me": caller("", []) });
  open(4_000_000_000);
  expect(await screen.findByText("No role here")).toBeTruthy();
  expect(screen.getByText("usr_1")).toBeTruthy();
  expect(await screen.findByRole("button", { name: "Sign in as somebody else" })).toBeTruthy();
  await expectAccessible();
});

test("a sign-in that ends says so, with the way back in", async () => {
  api.answers({ "GET /billing/config": configured, "GET /auth/me": caller("viewer", ["GET /admin/users"]) });
  const session = open(4_000_000_000);
  await screen.findByRole("link", { name: "Customers" });
  session.rejected?.((await session.token()) ?? "");
  expect(await screen.findByText("Your sign-in has ended")).toBeTruthy();
  expect(await screen.findByRole("button", { name: "Sign in with id.example" })).toBeTruthy();
});
