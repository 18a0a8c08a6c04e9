// @vitest-environment happy-dom
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import { catalogue, entitlements } from "../../../packages/billing-react/src/testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "../../../packages/billing-react/src/testing/server.js";
import { EndpointsPage } from "./EndpointsPage.js";
import { CallerContext, type AdminCall } from "./may.js";

const api = service();
const user = userEvent.setup();
const press = (name: string | RegExp) => user.click(screen.getByRole("button", { name }));
const sent = (call: string) => api.calls.filter((made) => made.call === call).map(({ body }) => body);

const LIST = "GET /admin/endpoints";
const CREATE = "POST /admin/endpoints";
const ONE = "/admin/endpoints/ep_1";
const DELIVERIES = `GET ${ONE}/deliveries`;
const ALL: AdminCall[] = [
  "GET /admin/endpoints",
  "POST /admin/endpoints",
  "PATCH /admin/endpoints/{endpoint_id}",
  "POST /admin/endpoints/{endpoint_id}/test",
  "POST /admin/endpoints/{endpoint_id}/resend",
];
const endpoint = {
  endpoint_id: "ep_1",
  url: "https://app.example.com/events",
  description: "the app",
  event_types: ["EntitlementsChanged"],
  state: "enabled",
  paused_for: null,
  paused_at: null,
  created_at: "2026-11-28T20:00:00Z",
  secrets: 1,
  version: 3,
  failing_since: null,
  failures: 0,
  last_status: null,
  last_error: null,
  succeeded_at: "2026-11-28T21:00:00Z",
};
const listed = (...changes: object[]) => ({
  endpoints: changes.map((change) => ({ ...endpoint, ...change })),
  event_types: ["EntitlementsChanged", "ProviderAway"],
});
const delivery = {
  delivery_id: `001790000000.evt_${"0".repeat(32)}`,
  event_id: `evt_${"0".repeat(32)}`,
  type: "EntitlementsChanged",
  state: "delivered",
  tries: 2,
  status: 200,
  error: null,
  accepted_at: "2026-11-28T21:00:00Z",
  tried_at: "2026-11-28T21:00:05Z",
  took_ms: 42,
  body: '{"type":"EntitlementsChanged"}',
};

const open = (may: readonly AdminCall[] = ALL) =>
  show(
    <CallerContext value={{ user_id: "usr_admin", role: "admin", may: [...may] }}>
      <EndpointsPage />
    </CallerContext>,
  );

beforeEach(() => {
  history.replaceState(null, "", "/console/endpoints");
  api.answers({ "GET /billing/entitlements": entitlements(), "GET /billing/plans": catalogue, [LIST]: listed() });
});

test("an endpoint is added after its address was mended, and its secret is shown once", async () => {
  const refused = { errors: [{ path: "url", message: "not public" }], reason: "private_address" };
  api.answers({ [CREATE]: () => (sent(CREATE).length === 1 ? refuse(400, "invalid_request", refused) : { ...endpoint, secret: "whsec_abc=" }) });
  open();
  expect((await screen.findByText(/No endpoint yet/)).isConnected).toBe(true);
  await press("Add endpoint");
  const dialog = within(screen.getByRole("dialog"));
  await user.type(dialog.getByLabelText("Address"), "https://inside.example.com/");
  await user.click(dialog.getByLabelText(/ProviderAway/));
  await user.click(dialog.getByRole("button", { name: "Add endpoint" }));
  expect((await dialog.findByRole("alert")).textContent).toBe("This name leads to an address that is not public.");
  await expectAccessible();
  await user.clear(dialog.getByLabelText("Address"));
  await user.type(dialog.getByLabelText("Address"), "https://app.example.com/events");
  await user.click(dialog.getByRole("button", { name: "Add endpoint" }));
  expect((await screen.findByText("whsec_abc=")).isConnected).toBe(true);
  await expectAccessible();
  expect(sent(CREATE)[1]).toEqual({
    url: "https://app.example.com/events",
    description: "",
    event_types: ["EntitlementsChanged", "ProviderAway"],
  });
  await press("I have kept it");
  expect(screen.queryByText("whsec_abc=")).toBeNull();
});

test("an endpoint that was paused says why, what it answered, and that nothing is lost", async () => {
  const paused = { state: "paused", paused_for: "failing", last_error: "timed_out", failing_since: "2026-11-25T18:00:00Z" };
  api.answers({ [LIST]: listed(paused), [`PATCH ${ONE}`]: { ...endpoint } });
  open();
  expect((await screen.findByText("Paused: it took nothing in for three days")).isConnected).toBe(true);
  expect(screen.getByText(/Last answer: no answer in time\. .*kept for 30 days/).isConnected).toBe(true);
  await expectAccessible();
  await press(/^Enable/);
  expect(sent(`PATCH ${ONE}`)).toEqual([{ state: "enabled" }]);
});

test("an endpoint that somebody else changed is not overwritten, and is shown as it is now", async () => {
  const theirs = { url: "https://new.example.com/events", version: 4 };
  api.answers({
    [LIST]: () => listed(sent(`PATCH ${ONE}`).length === 0 ? {} : theirs),
    [`PATCH ${ONE}`]: () => (sent(`PATCH ${ONE}`).length === 1 ? refuse(409, "version_conflict") : { ...endpoint, ...theirs }),
  });
  open();
  const save = async () => {
    await user.click(await screen.findByRole("button", { name: /^Edit/ }));
    const dialog = within(screen.getByRole("dialog"));
    await user.type(dialog.getByLabelText("Description"), "!");
    await user.click(dialog.getByRole("button", { name: "Save" }));
    return dialog;
  };
  const dialog = await save();
  expect((await dialog.findByRole("alert")).textContent).toMatch(/Somebody changed this meanwhile/);
  await press("Cancel");
  expect((await screen.findByRole("heading", { name: theirs.url })).isConnected).toBe(true);
  await save();
  await waitFor(() => expect(sent(`PATCH ${ONE}`)).toMatchObject([{ version: 3 }, { ...theirs, description: "the app!" }]));
});

test("a refusal is said at once, however long it takes to read again what is shown", async () => {
  let asked = 0;
  api.answers({
    [LIST]: () => (++asked === 1 ? listed({}) : new Promise<never>(() => {})),
    [`DELETE ${ONE}`]: () => refuse(503, "service_unavailable"),
  });
  open();
  await user.click(await screen.findByRole("button", { name: /^Remove/ }));
  await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: /^Remove/ }));
  expect(await within(screen.getByRole("dialog")).findByRole("alert")).toBeTruthy();
  expect(asked).toBe(2);
});

test("deliveries are listed with answer and time, and one is sent again", async () => {
  history.replaceState(null, "", "/console/endpoints?endpoint=ep_1");
  const RESEND = `POST ${ONE}/resend`;
  api.answers({ [LIST]: listed({}), [DELIVERIES]: { deliveries: [delivery], cursor: null }, [RESEND]: { lanes: 1 } });
  open();
  expect((await screen.findByText("Delivered · 200")).isConnected).toBe(true);
  expect(screen.getByText(/2 tries, the last .*, 42 ms/).isConnected).toBe(true);
  await press(/^Send again evt_/);
  expect((await screen.findByText("It is sent again under its own id.")).isConnected).toBe(true);
  expect(sent(RESEND)).toEqual([{ delivery_id: delivery.delivery_id }]);
  await expectAccessible();
});

test("whoever may only look is offered nothing else", async () => {
  history.replaceState(null, "", "/console/endpoints?endpoint=ep_1");
  api.answers({ [LIST]: listed({}), [DELIVERIES]: { deliveries: [delivery], cursor: null } });
  open(["GET /admin/endpoints"]);
  expect((await screen.findByText("Delivered · 200")).isConnected).toBe(true);
  const names = screen.getAllByRole("button").map((button) => button.textContent);
  expect(names).toEqual([`Deliveries ${endpoint.url}`, "Look again"]);
});
