// Alby's own wallet service, as a wallet that people have: node wallet.mjs RELAY WALLET_SECRET CLIENT_PUBLIC PREIMAGE
// It pays every invoice but those that it is told to refuse, and prints each request that it gets, a line of JSON each.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../frontend/package.json", import.meta.url));
globalThis.WebSocket = require("ws");
const { NWCWalletService, NWCWalletServiceKeyPair } = require("@getalby/sdk/nwc");

const [relay, secret, client, preimage, refusal = ""] = process.argv.slice(2);
const service = new NWCWalletService({ relayUrls: [relay] });
await service.publishWalletServiceInfoEvent(secret, ["pay_invoice", "get_info"], []);
await service.subscribe(new NWCWalletServiceKeyPair(secret, client), {
  payInvoice: async (request) => {
    console.log(JSON.stringify(request));
    return refusal
      ? { result: undefined, error: { code: refusal, message: "no" } }
      : { result: { preimage, fees_paid: 7 }, error: undefined };
  },
});
console.log("ready");
