"""Texts of calendar entries, in the languages of the pages: the plan, its price, what to do; no ids or keys."""

from collections.abc import Mapping

from billing.rules.languages import Language

EN = {
    "name": "Plans and renewals",
    "ends": "{plan} ends",
    "ends.trial": "Trial of {plan} ends",
    "ends.by_hand": "Nothing renews by itself. Once it is renewed, this entry moves to the new end.",
    "ends.wallet_pays": "Paid until now. A connected wallet is asked to pay on before that; then this entry moves.",
    "ends.resume": "It was cancelled: nothing more is charged. Until then that can be taken back on the billing page.",
    "ends.fix_payment": "A payment failed. Unless it is paid, access ends now.",
    "ends.none": "Nothing renews by itself.",
    "renew": "Renew {plan}: {price}",
    "renew.about": "It does not renew by itself. Renew it on the billing page before it ends.",
    "wallet": "Wallet is asked to renew {plan}: {price}",
    "wallet.about": "Nothing to do if the wallet can pay. How it stands is on the billing page.",
    "charged": "{plan} renews: {price}",
    "charged.about": "The card is charged. Cancelling before is possible on the billing page.",
    "charged.trial": "Trial of {plan} ends: {price}",
    "charged.trial.about": "The card is charged for the first time. Cancelling before is possible on the billing page.",
    "tried": "Card is tried again for {plan}: {price}",
    "tried.about": "A payment failed. It can be paid on the billing page before that.",
}
DE = {
    "name": "Tarife und Verlängerungen",
    "ends": "{plan} endet",
    "ends.trial": "Testzeit von {plan} endet",
    "ends.by_hand": "Nichts verlängert sich von selbst. Nach dem Verlängern rückt dieser Eintrag auf das neue Ende.",
    "ends.wallet_pays": "Bis jetzt bezahlt. Vorher wird eine verbundene Wallet gebeten; dann rückt dieser Eintrag.",
    "ends.resume": "Gekündigt: Nichts wird mehr abgebucht. Bis dahin lässt es sich auf der Seite zurücknehmen.",
    "ends.fix_payment": "Eine Zahlung ist fehlgeschlagen. Wird sie nicht bezahlt, endet der Zugang jetzt.",
    "ends.none": "Nichts verlängert sich von selbst.",
    "renew": "{plan} verlängern: {price}",
    "renew.about": "Es verlängert sich nicht von selbst. Auf der Abrechnungsseite geht das, bevor es endet.",
    "wallet": "Wallet wird gebeten, {plan} zu verlängern: {price}",
    "wallet.about": "Nichts zu tun, wenn die Wallet zahlen kann. Wie es steht, zeigt die Abrechnungsseite.",
    "charged": "{plan} verlängert sich: {price}",
    "charged.about": "Es wird von der Karte abgebucht. Vorher kündigen geht auf der Abrechnungsseite.",
    "charged.trial": "Testzeit von {plan} endet: {price}",
    "charged.trial.about": "Die erste Abbuchung von der Karte. Vorher kündigen geht auf der Abrechnungsseite.",
    "tried": "Neuer Versuch mit der Karte für {plan}: {price}",
    "tried.about": "Eine Zahlung ist fehlgeschlagen. Vorher lässt sie sich auf der Abrechnungsseite bezahlen.",
}
ES = {
    "name": "Planes y renovaciones",
    "ends": "{plan} termina",
    "ends.trial": "La prueba de {plan} termina",
    "ends.by_hand": "Nada se renueva solo. Al renovar, esta entrada pasa al nuevo final.",
    "ends.wallet_pays": "Pagado hasta ahora. Antes se pide a un monedero conectado; entonces esta entrada se mueve.",
    "ends.resume": "Cancelado: no se cobra nada más. Hasta entonces se puede deshacer en la página de facturación.",
    "ends.fix_payment": "Un pago ha fallado. Si no se paga, el acceso termina ahora.",
    "ends.none": "Nada se renueva solo.",
    "renew": "Renovar {plan}: {price}",
    "renew.about": "No se renueva solo. Se renueva en la página de facturación antes de que termine.",
    "wallet": "Se pide al monedero que renueve {plan}: {price}",
    "wallet.about": "No hay que hacer nada si el monedero puede pagar. Cómo va se ve en la página de facturación.",
    "charged": "{plan} se renueva: {price}",
    "charged.about": "Se cobra de la tarjeta. Antes se puede cancelar en la página de facturación.",
    "charged.trial": "La prueba de {plan} termina: {price}",
    "charged.trial.about": "Primer cobro de la tarjeta. Antes se puede cancelar en la página de facturación.",
    "tried": "Nuevo intento con la tarjeta por {plan}: {price}",
    "tried.about": "Un pago ha fallado. Antes se puede pagar en la página de facturación.",
}
TEXTS: Mapping[Language, Mapping[str, str]] = {"en": EN, "de": DE, "es": ES}
