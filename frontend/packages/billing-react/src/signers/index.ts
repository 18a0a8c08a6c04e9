import { hex, SignerRefused, type NostrEvent, type Signer } from "../session.js";
import { keepKey, keptKey } from "./kept-key.js";

export { forgetBillingKey } from "./kept-key.js";

type Signed = Awaited<ReturnType<Signer["sign"]>>;

interface NostrExtension {
  signEvent(event: NostrEvent): Promise<Signed | null | undefined>;
}

/** The browser extension's signer (NIP-07); null when there is none. Throws `SignerRefused` when it does not sign. */
export function extensionSigner(): Signer | null {
  const extension = (globalThis as { nostr?: NostrExtension }).nostr;
  if (!extension) return null;
  return {
    name: "nip07",
    async sign(event) {
      // Extensions reject with whatever they like, or answer nothing at all.
      const signed = await extension.signEvent(event).catch((cause: unknown) => {
        throw new SignerRefused("The extension did not sign.", { cause });
      });
      if (!signed?.sig) throw new SignerRefused("The extension answered without a signature.");
      return signed;
    },
  };
}

const PREFIX = "bsk1";
const KEY_DIGITS = 64;
const CHECK_DIGITS = 8;

/** Loaded when a key is made or used: most visitors never do. */
const curve = async () => (await import("@noble/curves/secp256k1.js")).schnorr;

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function unhex(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function hasBillingKey(): boolean {
  return keptKey() !== null;
}

/** Signs with the key kept in this browser; makes one when there is none. */
export async function billingKeySigner(): Promise<Signer> {
  const schnorr = await curve();
  let secret = keptKey();
  if (secret === null) {
    secret = hex(schnorr.utils.randomSecretKey());
    keepKey(secret);
  }
  return keySigner("billing-key", unhex(secret));
}

function keySigner(name: Signer["name"], key: Uint8Array<ArrayBuffer>): Signer {
  const pubkey = async () => hex((await curve()).getPublicKey(key));
  return {
    name,
    pubkey,
    async sign(event) {
      const by = await pubkey();
      // NIP-01: the id is the hash of this exact array.
      const content = JSON.stringify([0, by, event.created_at, event.kind, event.tags, event.content]);
      const id = await sha256(new TextEncoder().encode(content));
      return { ...event, id, pubkey: by, sig: hex((await curve()).sign(unhex(id), key)) };
    },
  };
}

/**
 * Signs with a Nostr key that the host keeps for its user (`nsec1…`), for the `signer` of the provider: the billing
 * account is then that key's, and no other one is made. Throws when the text is no such key.
 */
export function nsecSigner(nsec: string): Signer {
  return keySigner("host", secretOf(nsec));
}

const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** The 32 bytes of a NIP-19 secret key: bech32 with the checksum of BIP 173. */
function secretOf(nsec: string): Uint8Array<ArrayBuffer> {
  const text = nsec.trim().toLowerCase();
  const values = text.startsWith("nsec1") ? Array.from(text.slice(5), (sign) => BECH32.indexOf(sign)) : [];
  const prefix = [3, 3, 3, 3, 0, 14, 19, 5, 3]; // "nsec", as the checksum sees it
  // 52 signs hold 260 bits: the 256 of the key, and four that must be zero.
  const whole = values.length === 58 && !values.includes(-1) && polymod([...prefix, ...values]) === 1;
  const bits = values.slice(0, 52).map((value) => value.toString(2).padStart(5, "0")).join("");
  if (!whole || bits.slice(256) !== "0000") throw new Error("This is not a Nostr secret key (nsec1…).");
  return Uint8Array.from(bits.slice(0, 256).match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

function polymod(values: readonly number[]): number {
  const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  return values.reduce((sum, value) => {
    const top = sum >>> 25;
    const next = ((sum & 0x1ffffff) << 5) ^ value;
    return generator.reduce((mixed, part, bit) => ((top >>> bit) & 1 ? mixed ^ part : mixed), next);
  }, 1);
}

/** The kept key as a text to write down or save, with a checksum against typing errors; null when there is none. */
export async function exportBillingKey(): Promise<string | null> {
  const secret = keptKey();
  return secret && PREFIX + secret + (await checksum(secret));
}

/** Keeps a key from its backup text. False when the text is not one. */
export async function restoreBillingKey(backup: string): Promise<boolean> {
  const digits = backup.trim().toLowerCase();
  const secret = digits.slice(PREFIX.length, PREFIX.length + KEY_DIGITS);
  const shaped = digits.length === PREFIX.length + KEY_DIGITS + CHECK_DIGITS && digits.startsWith(PREFIX);
  if (!shaped || !/^[0-9a-f]+$/.test(secret) || digits.slice(-CHECK_DIGITS) !== (await checksum(secret))) return false;
  try {
    (await curve()).getPublicKey(unhex(secret));
  } catch {
    return false; // A number outside the curve's order.
  }
  keepKey(secret);
  return true;
}

async function checksum(secret: string): Promise<string> {
  return (await sha256(unhex(secret))).slice(0, CHECK_DIGITS);
}
