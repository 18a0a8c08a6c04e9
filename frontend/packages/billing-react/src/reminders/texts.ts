import type { Message, Translate } from "../i18n.js";
import { useOwnTexts } from "../own-texts.js";

const en = {
  title: "Reminders",
  about: "We know no e-mail address of yours. Choose how you want to hear of an end in time; each is off until you choose it.",
} as const;

type Key = keyof typeof en;
type Catalogue = Readonly<Record<Key, Message>>;

const de: Catalogue = {
  title: "Erinnerungen",
  about: "Wir kennen keine E-Mail-Adresse von dir. Wähle, wie du rechtzeitig von einem Ende erfährst; alles ist aus, bis du es wählst.",
};

const es: Catalogue = {
  title: "Recordatorios",
  about: "No conocemos ninguna dirección de correo tuya. Elige cómo enterarte a tiempo de que algo termina; todo está apagado hasta que lo elijas.",
};

const CATALOGUES = { en, de, es };

/** The texts around the ways to be reminded; each way brings its own. */
export function useReminderText(): Translate<Key> {
  return useOwnTexts<Key>(CATALOGUES);
}
