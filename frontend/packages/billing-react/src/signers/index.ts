import { hex, SignerRefused, type NostrEvent, type Signer } from "../session.js";

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

const STORAGE_KEY = "bitsleuth-billing-key";
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
  return localStorage.getItem(STORAGE_KEY) !== null;
}

/** Signs with the key kept in this browser; makes one when there is none. */
export async function billingKeySigner(): Promise<Signer> {
  const schnorr = await curve();
  let secret = localStorage.getItem(STORAGE_KEY);
  if (secret === null) {
    secret = hex(schnorr.utils.randomSecretKey());
    localStorage.setItem(STORAGE_KEY, secret);
  }
  const key = unhex(secret);
  const pubkey = hex(schnorr.getPublicKey(key));
  return {
    name: "billing-key",
    async sign(event) {
      // NIP-01: the id is the hash of this exact array.
      const content = JSON.stringify([0, pubkey, event.created_at, event.kind, event.tags, event.content]);
      const id = await sha256(new TextEncoder().encode(content));
      return { ...event, id, pubkey, sig: hex(schnorr.sign(unhex(id), key)) };
    },
  };
}

/** The kept key as a text to write down or save, with a checksum against typing errors; null when there is none. */
export async function exportBillingKey(): Promise<string | null> {
  const secret = localStorage.getItem(STORAGE_KEY);
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
  localStorage.setItem(STORAGE_KEY, secret);
  return true;
}

/** Removes the key from this browser; without a backup it is gone. */
export function forgetBillingKey(): void {
  localStorage.removeItem(STORAGE_KEY);
}

async function checksum(secret: string): Promise<string> {
  return (await sha256(unhex(secret))).slice(0, CHECK_DIGITS);
}
