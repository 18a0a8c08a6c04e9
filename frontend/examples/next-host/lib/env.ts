export function required(name: string, value = process.env[name]): string {
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
