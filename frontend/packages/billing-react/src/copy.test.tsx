// @vitest-environment happy-dom
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { entitlements } from "./testing/fixtures.js";
import { service, show } from "./testing/server.js";
import { CopyButton } from "./ui/CopyButton.js";

const api = service();

test("copying says whether it worked", async () => {
  api.answers({ "GET /billing/entitlements": entitlements() });
  const user = userEvent.setup();
  show(<CopyButton value="bc1q" what="address" />);
  await user.click(screen.getByRole("button", { name: "Copy address" }));
  expect(screen.getByRole("status").textContent).toBe("Copied");
  expect(await navigator.clipboard.readText()).toBe("bc1q");
  vi.spyOn(navigator.clipboard, "writeText").mockRejectedValue(new Error("not allowed"));
  await user.click(screen.getByRole("button", { name: "Copy address" }));
  await vi.waitFor(() => expect(screen.getByRole("status").textContent).toContain("copy it yourself"));
});
