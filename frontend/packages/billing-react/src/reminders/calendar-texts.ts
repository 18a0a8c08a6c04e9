import type { Message, Translate } from "../i18n.js";
import { useOwnTexts } from "../own-texts.js";

const en = {
  title: "In your calendar",
  about:
    "What ends, what is renewed when, and what it costs. As a file for once, or as a feed: an address that your calendar reads again and again, so that the entries follow what changes.",
  save: "Save as a file",
  make: "Make a feed",
  made: "The feed is made. Give its address to your calendar.",
  on: "A feed is there since {date}.",
  hidden: "Its address is not kept and cannot be shown again. If it is lost, make a new one.",
  address: "Address of the feed",
  once: "It is shown now, and never again. Whoever has it can read plans, dates and prices, and nothing else: no key, no id. A calendar on the web keeps it with its provider.",
  open: "Open in a calendar",
  renew: "Make a new address",
  renew_sure: "The old address ends at once. Calendars that read it show nothing new from then on.",
  renewed: "The old address has ended. Give the new one to your calendar.",
  revoke: "End the feed",
  revoke_sure: "Its address ends at once. Delete the calendar on your devices too: some keep the last entries.",
  revoked: "The feed has ended.",
  keep: "Keep it",
} as const;

type Key = keyof typeof en;
type Catalogue = Readonly<Record<Key, Message>>;

const de: Catalogue = {
  title: "In deinem Kalender",
  about:
    "Was endet, was wann verlängert wird und was es kostet. Einmal als Datei, oder als Abo: eine Adresse, die dein Kalender immer wieder liest, sodass die Einträge allem folgen, was sich ändert.",
  save: "Als Datei sichern",
  make: "Abo anlegen",
  made: "Das Abo ist angelegt. Gib die Adresse deinem Kalender.",
  on: "Ein Abo gibt es seit {date}.",
  hidden: "Seine Adresse wird nicht aufbewahrt und lässt sich nicht noch einmal zeigen. Ist sie verloren, lege eine neue an.",
  address: "Adresse des Abos",
  once: "Sie wird jetzt gezeigt und nie wieder. Wer sie hat, kann Tarife, Daten und Preise lesen, sonst nichts: keinen Schlüssel, keine Kennung. Ein Kalender im Web bewahrt sie bei seinem Anbieter auf.",
  open: "Im Kalender öffnen",
  renew: "Neue Adresse",
  renew_sure: "Die alte Adresse endet sofort. Kalender, die sie lesen, zeigen ab dann nichts Neues mehr.",
  renewed: "Die alte Adresse ist beendet. Gib die neue deinem Kalender.",
  revoke: "Abo beenden",
  revoke_sure: "Seine Adresse endet sofort. Lösche den Kalender auch auf deinen Geräten: Manche behalten die letzten Einträge.",
  revoked: "Das Abo ist beendet.",
  keep: "Behalten",
};

const es: Catalogue = {
  title: "En tu calendario",
  about:
    "Qué termina, qué se renueva cuándo y cuánto cuesta. Una vez como archivo, o como suscripción: una dirección que tu calendario lee una y otra vez, para que las entradas sigan lo que cambia.",
  save: "Guardar como archivo",
  make: "Crear suscripción",
  made: "La suscripción está creada. Da su dirección a tu calendario.",
  on: "Hay una suscripción desde el {date}.",
  hidden: "Su dirección no se guarda y no se puede mostrar otra vez. Si se ha perdido, crea una nueva.",
  address: "Dirección de la suscripción",
  once: "Se muestra ahora y nunca más. Quien la tenga puede leer planes, fechas y precios, y nada más: ninguna clave, ningún identificador. Un calendario en la web la guarda con su proveedor.",
  open: "Abrir en un calendario",
  renew: "Crear otra dirección",
  renew_sure: "La dirección antigua termina al instante. Los calendarios que la leen no muestran nada nuevo desde entonces.",
  renewed: "La dirección antigua ha terminado. Da la nueva a tu calendario.",
  revoke: "Terminar la suscripción",
  revoke_sure: "Su dirección termina al instante. Borra también el calendario en tus dispositivos: algunos conservan las últimas entradas.",
  revoked: "La suscripción ha terminado.",
  keep: "Conservarla",
};

const CATALOGUES = { en, de, es };

export function useCalendarText(): Translate<Key> {
  return useOwnTexts<Key>(CATALOGUES);
}
