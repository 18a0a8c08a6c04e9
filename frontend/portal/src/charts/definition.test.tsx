// @vitest-environment happy-dom
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { entitlements } from "../../../packages/billing-react/src/testing/fixtures.js";
import { expectAccessible, service, show } from "../../../packages/billing-react/src/testing/server.js";
import { Definition } from "./Definition.js";

const api = service();

test("what a figure means is shown to the pointer and to the keyboard, and put away with Escape", async () => {
  api.answers({ "GET /billing/entitlements": entitlements() });
  show(<Definition of="ARPU">Revenue divided by users.</Definition>);
  const shown = () => screen.queryByRole("tooltip") !== null;
  const button = screen.getByRole("button", { name: "What ARPU means" });
  expect(shown()).toBe(false);
  await userEvent.hover(button);
  expect(shown()).toBe(true);
  await userEvent.unhover(button);
  expect(shown()).toBe(false);
  await userEvent.tab();
  expect(document.activeElement).toBe(button);
  expect(shown()).toBe(true);
  await expectAccessible();
  await userEvent.keyboard("{Escape}");
  expect(shown()).toBe(false);
  expect(document.activeElement).toBe(button);
});
