import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { BillingPage } from "./components/BillingPage.js";
import { CheckoutReturn } from "./components/CheckoutReturn.js";
import { PricingTable } from "./components/PricingTable.js";
import { SignIn } from "./components/SignIn.js";
import { Protected } from "./protected.js";
import { BillingProvider } from "./provider.js";

/** As a host's server renders a page that is cached for everybody. */
const served = (page: React.ReactNode) => renderToString(<BillingProvider apiUrl="http://api.test">{page}</BillingProvider>);

test.each([
  ["prices", <PricingTable key="" />],
  ["the billing page", <BillingPage key="" />],
  ["the return from checkout", <CheckoutReturn key="" checkoutId="chk_1" />],
  ["a gate", <Protected key="" feature="ai.chat" loading={<p aria-busy="true">loading</p>}>open</Protected>],
])("a server renders %s as still loading, the same for everybody, without styles or scripts of its own", (_, page) => {
  const html = served(page);
  expect(html).toContain('aria-busy="true"');
  expect(html).not.toMatch(/ style=|<style|<script/);
});

test("a server renders the sign-in without looking for a key or an extension", () => {
  expect(served(<SignIn />)).toContain("<button");
});
