import { hex, SignerRefused, type Ended, type NostrEvent, type Signer } from "../session.js";
import { keepKey, keptKey, keptKeys } from "./kept-key.js";

export { forgetBillingKey, keptKeys, keysAsText, mayForget, noteKey, onKeys, type KeptKey } from "./kept-key.js";

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

/** Signs with a key kept in this browser, by default the one used last; makes one when there is none. */
export async function billingKeySigner(which: string | null = keptKey()): Promise<Signer> {
  const secret = which ?? hex((await curve()).utils.randomSecretKey());
  keepKey(secret);
  return keySigner("billing-key", unhex(secret));
}

/**
 * The key that whoever was signed in before would sign with: the host's, the extension's, or the one of this browser
 * that opened that account. A new one only for somebody who has none.
 */
export async function signerOf(ended: Ended | null | undefined, host: Signer | null): Promise<Signer> {
  if (host) return host;
  const extension = ended?.by?.name === "nip07" ? extensionSigner() : null;
  return extension ?? billingKeySigner(await keyOf(ended ?? null));
}

/** The kept key of an account; `orLast`: where none is known to be, the one used last. */
export async function keyOf(account: Ended | null, orLast = true): Promise<string | null> {
  const keys = keptKeys();
  const by = account?.by?.pubkey;
  for (const { secret } of by === undefined ? [] : keys) {
    if (hex((await curve()).getPublicKey(unhex(secret))) === by) return secret;
  }
  const ofAccount = keys.find(({ userId }) => userId !== null && userId === account?.userId);
  return ofAccount?.secret ?? (orLast ? keptKey() : null);
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

/** A public key as people write it (NIP-19): `npub1…`. */
export function npubOf(pubkey: string): string {
  const bits = unhex(pubkey).reduce((text, byte) => text + byte.toString(2).padStart(8, "0"), "");
  const values = (bits.padEnd(260, "0").match(/.{5}/g) ?? []).map((five) => Number.parseInt(five, 2));
  const prefix = [3, 3, 3, 3, 0, 14, 16, 21, 2]; // "npub", as the checksum sees it
  const sum = polymod([...prefix, ...values, 0, 0, 0, 0, 0, 0]) ^ 1;
  const checksum = [25, 20, 15, 10, 5, 0].map((shift) => (sum >>> shift) & 31);
  return `npub1${[...values, ...checksum].map((value) => BECH32[value]).join("")}`;
}

function polymod(values: readonly number[]): number {
  const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  return values.reduce((sum, value) => {
    const top = sum >>> 25;
    const next = ((sum & 0x1ffffff) << 5) ^ value;
    return generator.reduce((mixed, part, bit) => ((top >>> bit) & 1 ? mixed ^ part : mixed), next);
  }, 1);
}

/** A kept key as a text to write down or save, with a checksum against typing errors; null when there is none. */
export async function exportBillingKey(secret: string | null = keptKey()): Promise<string | null> {
  return secret && PREFIX + secret + (await checksum(secret));
}

/** Keeps a key from its backup text, beside the others. False when the text is not one. */
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
  // It came from a copy, so there is one.
  keepKey(secret, { saved: true });
  return true;
}

const LOCKED_PREFIX = "bsx1";
const ROUNDS = 600_000;

/** Whether a backup text is locked with a passphrase. */
export const isLockedBackup = (text: string): boolean => text.trim().startsWith(LOCKED_PREFIX);

/** A backup text that only its passphrase opens (PBKDF2-SHA-256, AES-256-GCM). */
export async function lockBackup(backup: string, passphrase: string): Promise<string> {
  const [salt, nonce] = [crypto.getRandomValues(new Uint8Array(16)), crypto.getRandomValues(new Uint8Array(12))];
  const key = await keyFrom(passphrase, salt);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, new TextEncoder().encode(backup));
  return LOCKED_PREFIX + hex(salt) + hex(nonce) + hex(new Uint8Array(sealed));
}

/** The backup text inside a locked one; null when the passphrase is not its own. */
export async function unlockBackup(text: string, passphrase: string): Promise<string | null> {
  const bytes = unhex(text.trim().toLowerCase().slice(LOCKED_PREFIX.length));
  const key = await keyFrom(passphrase, bytes.slice(0, 16));
  try {
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes.slice(16, 28) }, key, bytes.slice(28));
    return new TextDecoder().decode(opened);
  } catch {
    return null;
  }
}

async function keyFrom(passphrase: string, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", new TextEncoder().encode(passphrase), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS };
  return crypto.subtle.deriveKey(how, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function checksum(secret: string): Promise<string> {
  return (await sha256(unhex(secret))).slice(0, CHECK_DIGITS);
}
