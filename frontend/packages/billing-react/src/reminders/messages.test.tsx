// @vitest-environment happy-dom
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { nip19 } from "nostr-tools";
import { expect, test } from "vitest";
import { npubOf } from "../signers/index.js";
import { expectAccessible, refuse, service, show, type Answer } from "../testing/server.js";
import { NostrMessages } from "./NostrMessages.js";

const api = service();
const NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";
const PUBKEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
const settings = {
  days: [7, 1],
  language: "en",
  since: "2027-01-01T12:00:00Z",
  next_at: "2027-01-24T12:00:00Z",
  next_end: "2027-01-31T12:00:00Z",
  last: null,
};

function view(on: object | null = null, over: object = {}) {
  return { available: true, default_days: [7, 1], on, asked_until: null, ...over };
}

function page(now: () => object, more: Record<string, Answer> = {}) {
  api.answers({ "GET /billing/messages": now as never, ...more });
  show(<NostrMessages />);
}

test("a key is written as people know it", () => {
  expect(npubOf(PUBKEY)).toBe(NPUB);
  expect(npubOf(PUBKEY)).toBe(nip19.npubEncode(PUBKEY));
});

test("it is off, then a code is sent, then it is on", async () => {
  const user = userEvent.setup();
  let now: object = view();
  page(() => now, {
    "POST /billing/messages": () => {
      now = view(null, { asked_until: "2027-01-01T12:30:00Z" });
      return { ...now, outcome: "sent", relays: ["inbox.example"] } as never;
    },
    "POST /billing/messages/confirm": () => {
      now = view(settings);
      return now as never;
    },
  });
  await user.click(await screen.findByRole("button", { name: "Be reminded by message" }));
  expect(screen.getByText(/kept encrypted/)).toBeTruthy();
  await user.type(screen.getByLabelText("Public key"), NPUB);
  await user.click(screen.getByRole("checkbox", { name: "1 day" }));
  await user.click(screen.getByRole("checkbox", { name: "3 days" }));
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Send a code to this key" }));
  expect(api.calls.filter(({ call }) => call === "POST /billing/messages").map(({ body }) => body)).toEqual([
    { key: NPUB, days: [7, 3], language: "en" },
  ]);
  await user.type(await screen.findByLabelText("Code from the message"), "123456");
  await expectAccessible();
  await user.click(screen.getByRole("button", { name: "Switch on" }));
  expect(await screen.findByText("The messages are on.")).toBeTruthy();
  expect(await screen.findByText(/7 days and 1 day before an end/)).toBeTruthy();
  expect(screen.getByText(/The next message comes on January 24, 2027/)).toBeTruthy();
});

test.each([
  ["no_inbox", /names no relays for messages/],
  ["not_looked", /could not find out/],
  ["refused", /take nothing from us/],
  ["unreachable", /did not answer/],
  ["unsure", /may have arrived/],
  ["sent", /inbox\.example took it/],
])("one now that is %s is told in words", async (outcome, words) => {
  const user = userEvent.setup();
  page(() => view(settings), {
    "POST /billing/messages/test": { ...view(settings), outcome, relays: outcome === "sent" ? ["inbox.example"] : [] } as never,
  });
  await user.click(await screen.findByRole("button", { name: "Send me one now" }));
  expect((await screen.findByRole("alert")).textContent).toMatch(words);
  await expectAccessible();
});

test("a code that did not leave is told, and the key stays to be mended", async () => {
  const user = userEvent.setup();
  page(() => view(), { "POST /billing/messages": { ...view(), outcome: "no_inbox", relays: [] } as never });
  await user.click(await screen.findByRole("button", { name: "Be reminded by message" }));
  await user.type(screen.getByLabelText("Public key"), NPUB);
  await user.click(screen.getByRole("button", { name: "Send a code to this key" }));
  expect((await screen.findByRole("alert")).textContent).toMatch(/names no relays/);
  expect(screen.getByLabelText<HTMLInputElement>("Public key").value).toBe(NPUB);
});

test("a wrong code is told", async () => {
  const user = userEvent.setup();
  page(() => view(null, { asked_until: "2027-01-01T12:30:00Z" }), {
    "POST /billing/messages/confirm": () => refuse(409, "message_code_wrong") as never,
  });
  await user.type(await screen.findByLabelText("Code from the message"), "000000");
  await user.click(screen.getByRole("button", { name: "Switch on" }));
  expect((await screen.findByRole("alert")).textContent).toContain("This is not the code that was sent.");
});

test("a reminder that did not arrive is told, and when it is tried again", async () => {
  const last = { at: "2027-01-24T12:00:00Z", outcome: "unreachable", tries: 2, retry_at: "2027-01-24T12:45:00Z" };
  page(() => view({ ...settings, last }));
  expect(await screen.findByText(/of January 24, 2027, did not arrive.*did not answer.*tried again at/)).toBeTruthy();
});

test("switching off asks once, and says that the key is gone", async () => {
  const user = userEvent.setup();
  let now: object = view(settings);
  page(() => now, {
    "DELETE /billing/messages": () => {
      now = view();
      return null as never;
    },
  });
  await user.click(await screen.findByRole("button", { name: "Switch off" }));
  const sure = screen.getByRole("alert");
  await user.click(within(sure).getByRole("button", { name: "Switch off" }));
  expect(await screen.findByText(/your key is deleted/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Be reminded by message" })).toBeTruthy();
});

test("where nobody can be written to it is not offered", async () => {
  page(() => view(null, { available: false }));
  await new Promise((done) => setTimeout(done, 50));
  expect(screen.queryByText("By Nostr message")).toBeNull();
});

test("what was said is there until the next click has landed, and no press before it moves the page", async () => {
  page(() => view(settings), { "PUT /billing/messages": view(settings) as never });
  await userEvent.click(await screen.findByRole("button", { name: "Other days" }));
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  const said = await screen.findByText("Saved.");
  await waitFor(() => expect(document.activeElement?.textContent).toBe("Saved."));
  const test = screen.getByRole("button", { name: "Other days" });
  await userEvent.pointer({ keys: "[MouseLeft>]", target: test });
  expect(document.activeElement).toBe(test);
  expect(said.isConnected).toBe(true);
  await userEvent.pointer({ keys: "[/MouseLeft]", target: test });
  await userEvent.click(test);
  await waitFor(() => expect(screen.queryByText("Saved.")).toBeNull());
});
