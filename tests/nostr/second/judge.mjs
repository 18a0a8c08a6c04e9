// Another implementation of Nostr, which looks at what ours makes and makes what ours has to read.
// A list of [name, ...arguments] comes in, a list of answers goes out; what it refuses is {refused: words}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../frontend/package.json", import.meta.url));
const tools = require("nostr-tools");
const nip17 = require("nostr-tools/nip17");

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const conversation = (secret, public_) => tools.nip44.v2.utils.getConversationKey(bytes(secret), public_);

const can = {
  publicKey: (secret) => tools.getPublicKey(bytes(secret)),
  npub: (public_) => tools.nip19.npubEncode(public_),
  nsec: (secret) => tools.nip19.nsecEncode(bytes(secret)),
  hash: (event) => tools.getEventHash(event),
  verify: (event) => tools.verifyEvent(event),
  sign: (template, secret) => tools.finalizeEvent(template, bytes(secret)),
  encrypt: (text, secret, public_) => tools.nip44.v2.encrypt(text, conversation(secret, public_)),
  decrypt: (payload, secret, public_) => tools.nip44.v2.decrypt(payload, conversation(secret, public_)),
  encryptNip04: (text, secret, public_) => tools.nip04.encrypt(bytes(secret), public_, text),
  decryptNip04: (payload, secret, public_) => tools.nip04.decrypt(bytes(secret), public_, payload),
  unwrap: (wrap, secret) => nip17.unwrapEvent(wrap, bytes(secret)),
};

const asked = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
for (const [name, ...given] of asked) {
  try {
    answers.push(await can[name](...given));
  } catch (error) {
    answers.push({ refused: String(error) });
  }
}
process.stdout.write(JSON.stringify(answers));
