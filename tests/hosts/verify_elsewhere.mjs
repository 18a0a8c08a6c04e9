// The specification's library for Node judges deliveries: secret, headers and body as JSON on standard input.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const { Webhook } = createRequire(new URL("../../frontend/packages/entitlements/package.json", import.meta.url))("standardwebhooks");
const deliveries = JSON.parse(await text(process.stdin));
const judged = deliveries.map(({ secret, headers, body }) => {
  try {
    return new Webhook(secret).verify(body, headers).type;
  } catch (error) {
    return error.name ?? "refused";
  }
});
console.log(JSON.stringify(judged));
