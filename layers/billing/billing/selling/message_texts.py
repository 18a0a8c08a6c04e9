"""Texts of direct messages: what ends, when, and a link. They name no plan, price, person or account.

The recipient can prove to others that the service wrote this.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from billing.rules.languages import Language, language_of

_TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "ends": "What you have paid for ends on {date}. If you want to keep it, renew it: {url}",
        "subscription": "Your subscription is set to end on {date}. If you want to keep it, take that back: {url}",
        "trial": "Your free trial ends on {date}, and costs money from then on. Look at it here: {url}",
        "payment": "A payment of yours did not go through. What you have stays open until {date}: {url}",
        "wallet": "Your wallet has not renewed what ends on {date}, or cannot, and needs you: {url}",
        "test": "This is what a reminder looks like. You asked for it at {url}",
        "code": "Your code is {code}. Somebody, probably you, wants reminders from {url} to be sent to this key. "
        "If it was not you, do nothing: then nothing more is sent.",
        "date": "{day} {month} {year}",
        "months": "January February March April May June July August September October November December",
    },
    "de": {
        "ends": "Was du bezahlt hast, endet am {date}. Wenn du es behalten willst, verlängere es: {url}",
        "subscription": "Dein Abo soll am {date} enden. Wenn du es behalten willst, nimm das zurück: {url}",
        "trial": "Deine kostenlose Probezeit endet am {date}; danach kostet es Geld. Sieh es dir hier an: {url}",
        "payment": "Eine Zahlung von dir ist nicht durchgegangen. Was du hast, bleibt offen bis {date}: {url}",
        "wallet": "Deine Wallet hat nicht verlängert, was am {date} endet, oder kann es nicht, und braucht dich: {url}",
        "test": "So sieht eine Erinnerung aus. Du hast sie angefordert auf {url}",
        "code": "Dein Code ist {code}. Jemand, vermutlich du, möchte Erinnerungen von {url} an diesen Schlüssel. "
        "Wenn du es nicht warst, tu nichts: Dann wird nichts weiter gesendet.",
        "date": "{day}. {month} {year}",
        "months": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    },
    "es": {
        "ends": "Lo que has pagado termina el {date}. Si quieres conservarlo, renuévalo: {url}",
        "subscription": "Tu suscripción terminará el {date}. Si quieres conservarla, anula la cancelación: {url}",
        "trial": "Tu prueba gratuita termina el {date} y desde entonces cuesta dinero. Míralo aquí: {url}",
        "payment": "Un pago tuyo no se ha realizado. Lo que tienes sigue abierto hasta el {date}: {url}",
        "wallet": "Tu monedero no ha renovado lo que termina el {date}, o no puede, y te necesita: {url}",
        "test": "Así es un recordatorio. Lo has pedido en {url}",
        "code": "Tu código es {code}. Alguien, probablemente tú, quiere recibir recordatorios de {url} en esta clave. "
        "Si no has sido tú, no hagas nada: no se enviará nada más.",
        "date": "{day} de {month} de {year}",
        "months": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    },
}


def text_of(what: str, language: str, url: str, *, at: int | None = None, code: str = "") -> str:
    """`what`: a subject of `rules/reminders.py`, `test` or `code`. `at`: the end, shown as its day in UTC."""
    texts = _TEXTS[language_of(language)]
    return texts[what].format(url=url, code=code, date="" if at is None else _date(texts, at))


def _date(texts: Mapping[str, str], at: int) -> str:
    day = datetime.fromtimestamp(at, UTC)
    return texts["date"].format(day=day.day, month=texts["months"].split()[day.month - 1], year=day.year)
