/** Where this browser's billing key is kept. Apart from what signs with it, which most pages never load. */
const STORAGE_KEY = "bitsleuth-billing-key";

export const keptKey = (): string | null => localStorage.getItem(STORAGE_KEY);
export const keepKey = (secret: string): void => localStorage.setItem(STORAGE_KEY, secret);

/** Removes the key from this browser; without a backup it is gone. */
export function forgetBillingKey(): void {
  localStorage.removeItem(STORAGE_KEY);
}
