// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import { navigate } from "./router.js";

beforeEach(() => {
  vi.spyOn(globalThis, "scrollTo").mockImplementation(() => {});
  history.replaceState(null, "", "/console/vouchers");
});

test("a page that is gone to from a dialog takes the place of its entry, so that no step back is dead", () => {
  const before = history.length;
  history.pushState({ bsbDialog: true }, "");
  navigate("/console/vouchers?batch=vb_1");
  expect([history.length - before, history.state, location.search]).toEqual([1, null, "?batch=vb_1"]);
  navigate("/console/plans");
  expect(history.length - before).toBe(2);
});

test("a change of the address behind a dialog leaves the dialog its entry", () => {
  history.pushState({ bsbDialog: true }, "");
  navigate("/console/vouchers?month=2026-11", { replace: true });
  expect(history.state).toEqual({ bsbDialog: true });
});
