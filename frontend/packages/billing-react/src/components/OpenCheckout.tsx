"use client";

import { useState } from "react";
import { dateTime, money } from "../format.js";
import { useBilling } from "../provider.js";
import { useProviders, type Status } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { Notice } from "../ui/Notice.js";
import { InvoiceDialog } from "./InvoiceDialog.js";

const DISMISSED = "bitsleuth-billing-dismissed";

/** A purchase that was begun: what, how much, until when; to be finished, or dismissed. */
export function OpenCheckout({ checkout }: { checkout: Status["checkout"] }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const { isBitcoin } = useProviders();
  const [dismissed, setDismissed] = useState(() => sessionStorage.getItem(DISMISSED));
  // Its dialog stays to be read when the purchase is no longer one that was only begun.
  const [paying, setPaying] = useState<Status["checkout"]>(null);
  function dismiss(id: string) {
    sessionStorage.setItem(DISMISSED, id);
    setDismissed(id);
  }
  return (
    <>
      {checkout && checkout.checkout_id !== dismissed && (
        <Notice
          title={t("plan.open_checkout", { plan: named(checkout) })}
          action={
            <>
              {isBitcoin(checkout.provider) ? (
                <Button size="small" onClick={() => setPaying(checkout)}>
                  {t("plan.finish_checkout")}
                </Button>
              ) : (
                <ButtonLink href={checkout.url} size="small">
                  {t("plan.finish_checkout")}
                </ButtonLink>
              )}
              <Button size="small" variant="ghost" onClick={() => dismiss(checkout.checkout_id)}>
                {t("dismiss")}
              </Button>
            </>
          }
        >
          {t("plan.open_checkout.about", {
            amount: money(checkout.amount_cents, checkout.currency, locale),
            time: dateTime(checkout.expires_at, locale),
          })}
        </Notice>
      )}
      {paying && (
        <InvoiceDialog
          of={{ checkoutId: paying.checkout_id }}
          url={paying.url}
          plan={named(paying)}
          onClose={() => setPaying(null)}
        />
      )}
    </>
  );
}
