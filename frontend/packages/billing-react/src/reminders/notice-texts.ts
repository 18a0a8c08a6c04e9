import type { Message, Translate } from "../i18n.js";
import { useOwnTexts } from "../own-texts.js";

const en = {
  "ends.subscription": "{plan} ends on {date}",
  "ends.trial": "Your trial of {plan} ends on {date}",
  "ends.prepaid": "{plan}, paid ahead, ends on {date}",
  "ends.voucher": "{plan} from your voucher ends on {date}",
  "ends.purchase": "{plan} ends on {date}",
  "act.renew": "Nothing renews by itself. Go on for {price}.",
  "act.wallet_pays": "Nothing to do: your connected wallet is asked for {price} on {date}.",
  "act.wallet_now": "Nothing to do: your connected wallet is being asked for {price}.",
  "act.wallet_trouble": "Your connected wallet has not paid, or cannot. See why, or pay {price} by hand.",
  "act.charged": "{price} is charged then. Nothing to do, unless you want to cancel before.",
  "act.charged_open": "It is charged then. Nothing to do, unless you want to cancel before.",
  "act.resume": "You cancelled it, and nothing more is charged. Until then you can take that back.",
  "act.fix_payment": "A payment failed. Pay it until then, and nothing closes.",
  "act.buy": "Nothing renews by itself. You can buy what you need next at any time.",
  "act.none": "Nothing renews by itself.",
  "go.renew": "Renew",
  "go.wallet_trouble": "See why",
  "go.charged": "Your plan",
  "go.resume": "Keep it",
  "go.fix_payment": "Pay",
  "go.buy": "See the plans",
  dismiss: "Put away: {what}",
} as const;

type Key = keyof typeof en;
type Catalogue = Readonly<Record<Key, Message>>;

const de: Catalogue = {
  "ends.subscription": "{plan} endet am {date}",
  "ends.trial": "Deine Testzeit von {plan} endet am {date}",
  "ends.prepaid": "{plan}, im Voraus bezahlt, endet am {date}",
  "ends.voucher": "{plan} aus deinem Gutschein endet am {date}",
  "ends.purchase": "{plan} endet am {date}",
  "act.renew": "Nichts verlängert sich von selbst. Weiter geht es für {price}.",
  "act.wallet_pays": "Nichts zu tun: Deine verbundene Wallet wird am {date} um {price} gebeten.",
  "act.wallet_now": "Nichts zu tun: Deine verbundene Wallet wird gerade um {price} gebeten.",
  "act.wallet_trouble": "Deine verbundene Wallet hat nicht bezahlt oder kann nicht. Sieh nach, warum, oder zahle {price} von Hand.",
  "act.charged": "Dann werden {price} abgebucht. Nichts zu tun, außer du willst vorher kündigen.",
  "act.charged_open": "Dann wird abgebucht. Nichts zu tun, außer du willst vorher kündigen.",
  "act.resume": "Du hast gekündigt, und es wird nichts mehr abgebucht. Bis dahin kannst du das zurücknehmen.",
  "act.fix_payment": "Eine Zahlung ist fehlgeschlagen. Zahle sie bis dahin, dann bleibt alles offen.",
  "act.buy": "Nichts verlängert sich von selbst. Du kannst jederzeit kaufen, was du als Nächstes brauchst.",
  "act.none": "Nichts verlängert sich von selbst.",
  "go.renew": "Verlängern",
  "go.wallet_trouble": "Nachsehen",
  "go.charged": "Dein Tarif",
  "go.resume": "Behalten",
  "go.fix_payment": "Zahlen",
  "go.buy": "Zu den Tarifen",
  dismiss: "Ausblenden: {what}",
};

const es: Catalogue = {
  "ends.subscription": "{plan} termina el {date}",
  "ends.trial": "Tu prueba de {plan} termina el {date}",
  "ends.prepaid": "{plan}, pagado por adelantado, termina el {date}",
  "ends.voucher": "{plan} de tu vale termina el {date}",
  "ends.purchase": "{plan} termina el {date}",
  "act.renew": "Nada se renueva solo. Sigue por {price}.",
  "act.wallet_pays": "No hay que hacer nada: el {date} se piden {price} a tu monedero conectado.",
  "act.wallet_now": "No hay que hacer nada: ahora mismo se piden {price} a tu monedero conectado.",
  "act.wallet_trouble": "Tu monedero conectado no ha pagado, o no puede. Mira por qué, o paga {price} a mano.",
  "act.charged": "Entonces se cobran {price}. No hay que hacer nada, salvo que quieras cancelar antes.",
  "act.charged_open": "Entonces se cobra. No hay que hacer nada, salvo que quieras cancelar antes.",
  "act.resume": "Lo cancelaste y no se cobra nada más. Hasta entonces puedes deshacerlo.",
  "act.fix_payment": "Un pago ha fallado. Págalo antes de esa fecha y nada se cierra.",
  "act.buy": "Nada se renueva solo. Puedes comprar lo que necesites después en cualquier momento.",
  "act.none": "Nada se renueva solo.",
  "go.renew": "Renovar",
  "go.wallet_trouble": "Ver por qué",
  "go.charged": "Tu plan",
  "go.resume": "Conservarlo",
  "go.fix_payment": "Pagar",
  "go.buy": "Ver los planes",
  dismiss: "Ocultar: {what}",
};

const CATALOGUES = { en, de, es };

/** The texts of the notice travel with it: a page that has the gate alone does not load the whole catalogue for it. */
export function useNoticeText(): Translate<Key> {
  return useOwnTexts<Key>(CATALOGUES);
}
