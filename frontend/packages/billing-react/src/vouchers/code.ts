const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 20;

/** A voucher's code as somebody typed it, in groups of five; null when it has a typing error. Asks nobody. */
export function readCode(typed: string): string | null {
  const code = typed
    .toUpperCase()
    .replace(/[\s\u2010-\u2014-]/g, "")
    .replace(/O/g, "0")
    .replace(/[IL]/g, "1");
  if (code.length !== LENGTH) return null;
  // As the service draws it: the digits as a polynomial over 32 elements come to nothing.
  let rest = 0;
  for (const character of code) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return null;
    rest = ((rest << 1) ^ (rest & 16 ? 37 : 0)) ^ digit;
  }
  return rest === 0 ? (code.match(/.{5}/g)?.join("-") ?? null) : null;
}
