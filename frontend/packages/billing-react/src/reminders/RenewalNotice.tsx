"use client";

import { useRef } from "react";
import { date, money } from "../format.js";
import { useBilling } from "../provider.js";
import { classes } from "../ui/classes.js";
import { useEnds, type End, type EndsOptions } from "./ends.js";
import { useNoticeText } from "./notice-texts.js";

export interface RenewalNoticeProps extends EndsOptions {
  /** Your page with `BillingPage`; "" on that page itself. */
  billingUrl?: string;
  /** `inline` where its place is known before it is there, as with a given `status`; else it floats and moves nothing. */
  placement?: "floating" | "inline";
}

/**
 * What ends soon, when, and what to do about it; for each end until it is put away. Put it last in your layout: it stays
 * in sight at the bottom of the window, and nothing moves when it comes.
 */
export function RenewalNotice({ billingUrl = "/account/billing", placement = "floating", ...options }: RenewalNoticeProps) {
  const { ends, dismiss } = useEnds(options);
  const region = useRef<HTMLDivElement>(null);
  // There from the start: a screen reader tells what comes into it, not what it comes with.
  return (
    <div ref={region} className={classes("bsb bsb-ends", `bsb-ends-${placement}`)} role="status" tabIndex={-1}>
      {ends.map((end) => (
        <Ending
          key={end.id}
          end={end}
          billingUrl={billingUrl}
          onDismiss={() => {
            dismiss(end.id);
            region.current?.focus({ preventScroll: true });
          }}
        />
      ))}
    </div>
  );
}

const CALM: readonly End["act"][] = ["wallet_pays", "charged", "none"];

function Ending({ end, billingUrl, onDismiss }: { end: End; billingUrl: string; onDismiss: () => void }) {
  const t = useNoticeText();
  const { locale, pricingUrl } = useBilling();
  const { act } = end;
  const title = t(`ends.${end.kind}`, { plan: end.plan_name, date: date(end.ends_at, locale) });
  const values = {
    price: end.amount_cents === null ? "" : money(end.amount_cents, end.currency, locale),
    date: end.due_at ? date(end.due_at, locale) : "",
  };
  const what =
    act === "wallet_pays" && !end.due_at ? "act.wallet_now" : act === "charged" && !values.price ? "act.charged_open" : (`act.${act}` as const);
  // On the billing page itself: where it is renewed.
  const here = end.group === null ? "" : `#bsb-prepaid-${end.group}`;
  const href = act === "buy" ? pricingUrl : billingUrl || here;
  return (
    <div className={classes("bsb-notice", !CALM.includes(act) && "bsb-notice-warn")}>
      <div className="bsb-stack bsb:min-w-0 bsb:grow bsb:gap-1">
        <p className="bsb:font-semibold">{title}</p>
        <div className="bsb-row bsb-between bsb:gap-x-4 bsb:gap-y-2">
          <p className="bsb-small">{t(what, values)}</p>
          {act !== "wallet_pays" && act !== "none" && href && (
            <a className="bsb-link bsb-small bsb:font-semibold" href={href}>
              {t(`go.${act}`)}
            </a>
          )}
        </div>
      </div>
      <button type="button" className="bsb-button bsb-button-ghost bsb-button-icon bsb:shrink-0" aria-label={t("dismiss", { what: title })} onClick={onDismiss}>
        <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinecap="round" aria-hidden="true">
          <path d="M6 6l12 12M18 6 6 18" />
        </svg>
      </button>
    </div>
  );
}
