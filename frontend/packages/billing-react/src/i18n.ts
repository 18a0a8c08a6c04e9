import type { en } from "./messages/en.js";

/** A text, or its plural forms by `Intl.PluralRules` category (`other` always there). `{name}` marks a value. */
export type Message = string | ({ readonly other: string } & Readonly<Record<string, string>>);
export type MessageKey = keyof typeof en;
export type Messages = Readonly<Record<MessageKey, Message>>;
export type Values = Readonly<Record<string, string | number>>;
export type Translate<Key extends string = MessageKey> = (key: Key, values?: Values) => string;

/** `translate("trial.days", { count: 3 })`; a `count` picks the plural form. */
export function translator<Key extends string>(
  locale: string,
  ...catalogues: readonly Partial<Readonly<Record<Key, Message>>>[]
): Translate<Key> {
  const plurals = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(locale);
  return (key, values = {}) => {
    const message = catalogues.find((catalogue) => catalogue[key] !== undefined)?.[key] ?? key;
    const text = typeof message === "string" ? message : pick(message, plurals.select(Number(values.count)));
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      return value === undefined ? whole : typeof value === "number" ? numbers.format(value) : value;
    });
  };
}

function pick(forms: Exclude<Message, string>, category: string): string {
  return (forms as Readonly<Record<string, string>>)[category] ?? forms.other;
}
