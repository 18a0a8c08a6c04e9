// @vitest-environment happy-dom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { entitlements } from "../testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "../testing/server.js";
import Reminders from "./Reminders.js";

const api = service();
const [first, second] = ["first", "second"].map((name) => `https://api.test/billing/calendar/feed/${name}.ics`) as [string, string];
const press = async (name: string) => fireEvent.click(await screen.findByRole("button", { name }));
const calls = () => api.calls.map(({ call }) => call).filter((call) => call.includes("/calendar"));

/** A service with a feed, or none; each address it gives is another one. */
function calendar(there = false) {
  let feed = there ? { made_at: "2026-12-01T12:00:00Z", language: "en" as const } : null;
  const addresses = [first, second];
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "GET /billing/calendar": () => ({ feed }),
    "POST /billing/calendar/feed": () => ({ ...(feed = { made_at: "2026-12-20T12:00:00Z", language: "en" }), address: addresses.shift() as string }),
    "DELETE /billing/calendar/feed": () => ((feed = null), new Response(null, { status: 204 })),
    "GET /billing/calendar/file": { name: "renewals.ics", content: "BEGIN:VCALENDAR\r\n" },
  });
}

test("a feed is off until it is made; its address is shown, copied and opened in a calendar", async () => {
  calendar();
  show(<Reminders />);
  await press("Make a feed");
  expect(await screen.findByText(first)).toBeTruthy();
  expect(screen.getByText("The feed is made. Give its address to your calendar.")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Copy Address of the feed" })).toBeTruthy();
  expect(screen.getByRole("link", { name: "Open in a calendar" }).getAttribute("href")).toBe(first.replace("https:", "webcal:"));
  expect(api.calls.find(({ call }) => call.startsWith("POST /billing/calendar"))?.body).toEqual({ language: "en" });
  await expectAccessible();
});

test("an address is not shown again; another one is made only after a question", async () => {
  calendar(true);
  show(<Reminders />);
  expect(await screen.findByText("A feed is there since December 1, 2026.")).toBeTruthy();
  expect(screen.getByText(/cannot be shown again/)).toBeTruthy();
  await press("Make a new address");
  const question = within(await screen.findByRole("alert"));
  expect(calls()).toEqual(["GET /billing/calendar"]);
  fireEvent.click(question.getByRole("button", { name: "Make a new address" }));
  expect(await screen.findByText("The old address has ended. Give the new one to your calendar.")).toBeTruthy();
  expect(screen.getByText(first)).toBeTruthy();
  await press("Make a new address");
  fireEvent.click(within(screen.getByRole("alert")).getByRole("button", { name: "Make a new address" }));
  expect(await screen.findByText(second)).toBeTruthy();
  expect(screen.queryByText(first)).toBeNull();
});

test("a feed is kept, or ended, and its address goes from the page", async () => {
  calendar();
  show(<Reminders />);
  await press("Make a feed");
  await press("End the feed");
  fireEvent.click(within(screen.getByRole("alert")).getByRole("button", { name: "Keep it" }));
  expect(screen.getByText(first)).toBeTruthy();
  await press("End the feed");
  fireEvent.click(within(screen.getByRole("alert")).getByRole("button", { name: "End the feed" }));
  expect(await screen.findByText("The feed has ended.")).toBeTruthy();
  expect(await screen.findByRole("button", { name: "Make a feed" })).toBeTruthy();
  expect(screen.queryByText(first)).toBeNull();
});

test("a file is saved in the page's language, without a feed", async () => {
  calendar();
  const made = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:x");
  show(<Reminders />, "usr_1", { locale: "de" });
  await press("Als Datei sichern");
  await waitFor(() => expect(made).toHaveBeenCalledOnce());
  const blob = made.mock.calls[0]?.[0] as Blob;
  expect([blob.type, await blob.text()]).toEqual(["text/calendar;charset=utf-8", "BEGIN:VCALENDAR\r\n"]);
  expect(calls().some((call) => call.startsWith("POST"))).toBe(false);
});

test("what the service refuses is said, and nothing is said to be made", async () => {
  calendar();
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "POST /billing/calendar/feed": () => refuse(409, "busy"),
  });
  show(<Reminders />);
  await press("Make a feed");
  expect((await screen.findByRole("alert")).textContent).toContain("Refused: busy.");
  expect(screen.queryByText(/The feed is made/)).toBeNull();
});
