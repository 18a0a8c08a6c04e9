"use client";

import { useId, useState } from "react";
import { InvoiceDialog } from "../components/InvoiceDialog.js";
import { money, shortDate } from "../format.js";
import { useBilling, useUserId } from "../provider.js";
import { useStatus } from "../queries.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { CopyLine } from "../ui/CopyButton.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice, NotRead } from "../ui/Notice.js";
import { GiftCard } from "./GiftCard.js";
import { GiftDialog } from "./GiftDialog.js";
import { useGifts, type Gift } from "./queries.js";
import { useVoucherText } from "./texts.js";
import { useWhat } from "./what.js";

/** Buy a plan for somebody else, and find the codes of what was bought. */
export default function Gifts() {
  const t = useVoucherText();
  const id = useId();
  const signedIn = useUserId() !== null;
  const gifts = useGifts();
  const [buying, setBuying] = useState(false);
  const [card, setCard] = useState<Gift | null>(null);
  const [paying, setPaying] = useState<Gift | null>(null);
  const what = useWhat();
  const list = gifts.data?.gifts ?? [];
  return (
    <section className="bsb bsb-card bsb-stack" aria-labelledby={id}>
      <div className="bsb-row bsb-between">
        <div className="bsb-stack bsb:gap-1">
          <h2 className="bsb-h2" id={id}>
            {t("gift")}
          </h2>
          <p className="bsb-2 bsb-small">{t("gift.about")}</p>
        </div>
        <Button onClick={() => setBuying(true)}>{t("gift.buy")}</Button>
      </div>
      {signedIn && gifts.isError && <ErrorNotice error={gifts.error} onRetry={() => void gifts.refetch()} />}
      {list.length > 0 && (
        <>
          <h3 className="bsb-h3">{t("gifts")}</h3>
          <ul className="bsb-stack">
            {list.map((gift) => (
              <li key={`${gift.provider}#${gift.purchase_id}`}>
                <GiftLine gift={gift} onCard={() => setCard(gift)} onPay={() => setPaying(gift)} />
              </li>
            ))}
          </ul>
        </>
      )}
      {buying && (
        <GiftDialog
          onClose={() => {
            setBuying(false);
            void gifts.refetch();
          }}
        />
      )}
      {paying && (
        <InvoiceDialog
          of={{ provider: paying.provider, purchaseId: paying.purchase_id }}
          plan={t("gift.of", { plan: paying.plan_name })}
          onPaid={() => {
            setPaying(null);
            void gifts.refetch();
          }}
          onClose={() => setPaying(null)}
        />
      )}
      {card?.code && card.redeem_url && (
        <Dialog onClose={() => setCard(null)} title={t("gifts.show")} prints>
          <GiftCard what={what(card)} code={card.code} url={card.redeem_url} />
          <div className="bsb-dialog-actions">
            <Button variant="primary" onClick={() => print()}>
              {t("gifts.print")}
            </Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

function GiftLine({ gift, onCard, onPay }: { gift: Gift; onCard: () => void; onPay: () => void }) {
  const t = useVoucherText();
  const common = useT();
  const what = useWhat();
  const { locale } = useBilling();
  return (
    <div className="bsb-stack bsb:gap-2">
      <div className="bsb-row bsb-between">
        <span className="bsb:font-medium">{what(gift)}</span>
        <span className="bsb-2 bsb-small bsb-number">
          {money(gift.amount_cents, gift.currency, locale)} · {shortDate(gift.created_at, locale)}
        </span>
      </div>
      <p className="bsb-2 bsb-small">{gift.voucher === null && gift.invoice ? common(`invoice.${gift.invoice.state}`) : t(stateOf(gift))}</p>
      {gift.voucher === null && gift.invoice?.watched && gift.invoice.state !== "expired" && (
        <div className="bsb-row">
          <Button size="small" onClick={onPay}>
            {common(gift.invoice.payable ? "purchases.pay" : "purchases.look")}
          </Button>
        </div>
      )}
      {gift.code && (
        <div className="bsb-row">
          <CopyLine value={gift.code} what={t("gifts.code")} />
          <Button size="small" onClick={onCard}>
            {t("gifts.show")}
          </Button>
        </div>
      )}
    </div>
  );
}

function stateOf({ voucher, status, code }: Gift) {
  if (voucher === "ready") return code === null ? "gifts.gone" : "gifts.ready";
  if (voucher === "redeemed") return "gifts.redeemed";
  if (voucher !== null) return "gifts.void";
  return status === "failed" ? "gifts.failed" : "gifts.pending";
}

/** What was redeemed, with what became of it. */
export function Redeemed() {
  const t = useVoucherText();
  const what = useWhat();
  const id = useId();
  const { locale } = useBilling();
  const status = useStatus();
  const vouchers = status.data?.vouchers ?? [];
  if (!status.data) return <NotRead of={status} />;
  if (vouchers.length === 0) return null;
  return (
    <section className="bsb bsb-card bsb-stack" aria-labelledby={id}>
      <h2 className="bsb-h2" id={id}>
        {t("yours")}
      </h2>
      <ul className="bsb-stack bsb:gap-2">
        {vouchers.map((voucher) => (
          <li key={voucher.redemption_id} className="bsb-row bsb-between">
            <span className="bsb:font-medium">{what(voucher)}</span>
            <span className="bsb-2 bsb-small">{state(voucher)}</span>
          </li>
        ))}
      </ul>
    </section>
  );

  function state(voucher: (typeof vouchers)[number]): string {
    if (voucher.end_reason !== null && !["expired", "replaced"].includes(voucher.end_reason)) return t("state.closed");
    if (voucher.ended_at !== null) return t("state.ended", { at: shortDate(voucher.ended_at, locale) });
    if (!voucher.open) return t("state.waits", { from: shortDate(voucher.starts_at, locale) });
    if (voucher.access_until === null) return t("state.open_for_good");
    return t("state.open", { until: shortDate(voucher.access_until, locale) });
  }
}
