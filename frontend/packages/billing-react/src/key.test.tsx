// @vitest-environment happy-dom
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { BillingPage } from "./components/BillingPage.js";
import { CheckoutReturn } from "./components/CheckoutReturn.js";
import { SignOutDialog } from "./components/SignOutDialog.js";
import { useOpenCheckout } from "./queries.js";
import { billingKeySigner, forgetBillingKey, keptKeys, noteKey } from "./signers/index.js";
import { catalogue, entitlements, quotes, status, subscribed } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, sessionOf, show } from "./testing/server.js";

const api = service();
const account = {
  "GET /billing/plans": catalogue,
  "GET /billing/quotes": quotes(),
  "GET /billing/entitlements": entitlements(),
  "GET /billing/subscription-status": subscribed(),
  "GET /billing/receipts": { receipts: [] },
};

/** A session of somebody who signed in with this browser's key. */
async function withKey() {
  const signer = await billingKeySigner();
  const pubkey = (await signer.pubkey?.()) ?? "";
  return Object.assign(sessionOf("usr_1"), { signedInWith: { name: "billing-key", pubkey } as const });
}

test("after the first purchase the key asks to be saved until it is", async () => {
  const session = await withKey();
  const confirmed = { status: "completed", plan_id: "pro-month", provider: "stripe", entitlements_version: 2 };
  api.answers({ ...account, "POST /billing/checkout-sessions/:id/confirm": confirmed });
  vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:key");
  show(<CheckoutReturn checkoutId="chk_1" />, "usr_1", { session });
  expect(await screen.findByRole("heading", { name: "Save your key now" })).toBeTruthy();
  await expectAccessible();
  await userEvent.click(await screen.findByRole("button", { name: "Save backup" }));
  await waitFor(() => expect(screen.queryByRole("heading", { name: "Save your key now" })).toBeNull());
  expect(screen.getByText(/This key is saved/)).toBeTruthy();
  expect(keptKeys()[0]).toMatchObject({ saved: true, userId: "usr_1", plan: "Plus", holds: true });
});

test("an unsaved key with a plan on it is not forgotten; saved, it is", async () => {
  const session = await withKey();
  api.answers(account);
  const onClose = vi.fn();
  show(<SignOutDialog onClose={onClose} />, "usr_1", { session });
  await userEvent.click(await screen.findByRole("radio", { name: /Sign out and forget this key/ }));
  const forget = screen.getByRole<HTMLButtonElement>("button", { name: "Sign out and forget this key" });
  expect(forget.disabled).toBe(true);
  expect(screen.getByRole("alert").textContent).toContain("Save the key first");
  await expectAccessible();
  await userEvent.click(screen.getByRole("button", { name: "Show it" }));
  await userEvent.click(await screen.findByRole("button", { name: "I have saved it" }));
  await waitFor(() => expect(forget.disabled).toBe(false));
  await userEvent.click(forget);
  expect([keptKeys().length, session.userId, onClose.mock.calls.length]).toEqual([0, null, 1]);
});

test("an unsaved key is not forgotten where the service says that its account holds something, whatever that is", async () => {
  const session = await withKey();
  api.answers({ ...account, "GET /billing/subscription-status": status({ holds: true }) });
  show(<SignOutDialog onClose={() => {}} />, "usr_1", { session });
  await userEvent.click(await screen.findByRole("radio", { name: /Sign out and forget this key/ }));
  await waitFor(() => expect(keptKeys()[0]?.holds).toBe(true));
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Sign out and forget this key" }).disabled).toBe(true);
});

test("a key that was empty is not forgotten from the moment something is bought, before anything is read again", async () => {
  const session = await withKey();
  const opened = { checkout_id: "chk_1", url: "https://pay.test", expires_at: "2027-01-01T00:00:00Z" };
  api.answers({ ...account, "POST /billing/create-checkout-session": opened });
  noteKey(keptKeys()[0]?.secret ?? "", { userId: "usr_1", holds: false });
  function Buyer() {
    const checkout = useOpenCheckout();
    return <button onClick={() => checkout.mutate({ plan_id: "plus-month", gift: true })}>buy</button>;
  }
  show(<Buyer />, "usr_1", { session });
  await userEvent.click(screen.getByRole("button", { name: "buy" }));
  await waitFor(() => expect(keptKeys()[0]?.holds).toBe(true));
  expect(forgetBillingKey()).toBe(false);
});

test("signing out keeps the key unless told otherwise", async () => {
  const session = await withKey();
  api.answers(account);
  show(<SignOutDialog onClose={() => {}} />, "usr_1", { session });
  await screen.findByRole("radio", { name: /Sign out, keep the key here/ });
  await userEvent.click(screen.getByRole("button", { name: "Sign out" }));
  expect([keptKeys().length, session.userId]).toEqual([1, null]);
});

test("several keys are told apart by account and plan, and one can change between them", async () => {
  await billingKeySigner("07".repeat(32));
  noteKey("07".repeat(32), { userId: "usr_other", plan: "Pro", holds: true });
  const session = await withKey();
  session.signIn = vi.fn(async () => {});
  api.answers({ ...account, "GET /billing/subscription-status": status() });
  const [, current] = [await billingKeySigner("09".repeat(32)), "09".repeat(32)];
  Object.assign(session.signedInWith, { pubkey: await (await billingKeySigner(current)).pubkey?.() });
  show(<BillingPage />, "usr_1", { session });
  const key = within(await screen.findByRole("region", { name: "Your key" }));
  expect((await key.findByText("usr_other")).parentElement?.textContent).toContain("Pro · not saved");
  await userEvent.click(key.getByRole("button", { name: "Change to it" }));
  expect(session.signIn).toHaveBeenCalledOnce();
});

test("a sign-in that ended says so, names the account and offers no other first", async () => {
  api.answers({ ...account, "GET /billing/subscription-status": () => refuse(401, "not_authenticated") });
  const ended = { userId: "usr_1", by: { name: "billing-key", pubkey: "00" } } as const;
  show(<BillingPage />, null, { session: Object.assign(sessionOf(null), { ended }) });
  expect((await screen.findByRole("alert")).textContent).toContain("Sign in again to the same account: usr_1");
  expect(screen.getByRole("button", { name: "Sign in again" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Create a billing key" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
});
