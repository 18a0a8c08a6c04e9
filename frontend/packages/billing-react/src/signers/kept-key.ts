/** The billing keys of this browser. Apart from what signs with them, which most pages never load. */
export interface KeptKey {
  readonly secret: string;
  /** Whether a copy of it is somewhere else. */
  readonly saved: boolean;
  /** The account it opens, once it has signed in. */
  readonly userId: string | null;
  /** The plan that account had when it was last looked at. */
  readonly plan: string | null;
  /** Whether anything would be lost with it; null while nobody has looked. */
  readonly holds: boolean | null;
}

const STORAGE_KEY = "bitsleuth-billing-keys";
/** Before there could be several. */
const OLD_KEY = "bitsleuth-billing-key";

/** The one that was used last comes first. */
export function keptKeys(): readonly KeptKey[] {
  const kept = stored();
  const old = localStorage.getItem(OLD_KEY);
  const included = old === null || kept.some(({ secret }) => secret === old);
  return included ? kept : [...kept, { secret: old, saved: false, userId: null, plan: null, holds: null }];
}

function stored(): KeptKey[] {
  try {
    const kept = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "[]") as unknown;
    return Array.isArray(kept) ? (kept as KeptKey[]).filter(({ secret }) => typeof secret === "string") : [];
  } catch {
    return [];
  }
}

function store(keys: readonly KeptKey[]): void {
  localStorage.setItem(STORAGE_KEY, JSON.stringify(keys));
  // Only once it is among the others.
  localStorage.removeItem(OLD_KEY);
  for (const listener of listeners) listener();
}

const listeners = new Set<() => void>();

/** Told when a key came, went, or was learnt something about. */
export function onKeys(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Changes with the keys, and only then. */
export const keysAsText = (): string => localStorage.getItem(STORAGE_KEY) ?? "";

export const keptKey = (): string | null => keptKeys()[0]?.secret ?? null;

/** Puts a key first, beside all others; what is known of it is kept, what is told now is added. */
export function keepKey(secret: string, details: Partial<Omit<KeptKey, "secret">> = {}): void {
  const keys = keptKeys();
  const before = keys.find((key) => key.secret === secret) ?? { secret, saved: false, userId: null, plan: null, holds: null };
  store([{ ...before, ...details }, ...keys.filter((key) => key.secret !== secret)]);
}

/** What was learnt about a key, which stays where it is. */
export function noteKey(secret: string, details: Partial<Omit<KeptKey, "secret">>): void {
  store(keptKeys().map((key) => (key.secret === secret ? { ...key, ...details } : key)));
}

/** Something is being bought or redeemed with an account: from now on its key holds something, whoever asks. */
export function noteHeld(userId: string | null): void {
  for (const key of keptKeys()) if (userId !== null && key.userId === userId) noteKey(key.secret, { holds: true });
}

/** Whether a key may go: it has a copy, or there is nothing to lose with it. */
export const mayForget = (key: KeptKey): boolean => key.saved || key.holds === false;

/** Removes a key (the one used last) from this browser. False, and it stays, when something would be lost with it. */
export function forgetBillingKey(secret: string | null = keptKey()): boolean {
  const keys = keptKeys();
  const key = keys.find((each) => each.secret === secret);
  if (key && !mayForget(key)) return false;
  store(keys.filter((each) => each !== key));
  return true;
}
