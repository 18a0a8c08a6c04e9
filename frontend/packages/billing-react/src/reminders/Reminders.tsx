"use client";

import { Fragment, type ComponentType } from "react";
import CalendarReminder from "./CalendarReminder.js";
import { NostrMessages } from "./NostrMessages.js";
import { useReminderText } from "./texts.js";

/** Ways to hear of an end in time: a file of its own each, with an `h3` and its texts. One that is not there is null. */
const WAYS: readonly ComponentType[] = [CalendarReminder, NostrMessages];

/** What a buyer without an e-mail address can choose to be reminded by. Each is off until it is chosen. */
export default function Reminders() {
  const t = useReminderText();
  return (
    <section className="bsb-card bsb-stack bsb:gap-5 bsb:[&:not(:has(h3))]:hidden" aria-labelledby="bsb-reminders">
      <div className="bsb-stack bsb:gap-1">
        <h2 className="bsb-h2" id="bsb-reminders">
          {t("title")}
        </h2>
        <p className="bsb-2">{t("about")}</p>
      </div>
      {WAYS.map((Way, place) => (
        <Fragment key={place}>
          <Way />
        </Fragment>
      ))}
    </section>
  );
}
