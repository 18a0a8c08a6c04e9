/** The document of `GET /billing/config`, as far as flags are concerned. */
export interface Rollout {
  readonly salt: string;
  readonly flags: Readonly<Record<string, { readonly percent: number; readonly allow: readonly string[] }>>;
}

/** Whether a flag is on for a user. One that is not listed is off, as is everything while there is no document. */
export function isFlagOn(rollout: Rollout | null, flag: string, userId: string): boolean {
  const rule = rollout && Object.hasOwn(rollout.flags, flag) ? rollout.flags[flag] : undefined;
  if (!rollout || !rule) return false;
  return rule.allow.includes(userId) || place(rollout.salt, flag, userId) < rule.percent;
}

/** The answer that a flag has for everybody; null when it depends on who asks. */
export function isFlagOnForAll(rollout: Rollout, flag: string): boolean | null {
  const rule = Object.hasOwn(rollout.flags, flag) ? rollout.flags[flag] : undefined;
  if (!rule || (rule.percent <= 0 && rule.allow.length === 0)) return false;
  return rule.percent >= 100 ? true : null;
}

/** 0 to 99, the same as the service computes: FNV-1a with a final mix. A user's place never changes. */
export function place(salt: string, flag: string, userId: string): number {
  let mixed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${salt}:${flag}:${userId}`)) {
    mixed = Math.imul(mixed ^ byte, 0x01000193);
  }
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) % 100;
}
