"use client";

import { unwrap, type Client, type Schemas } from "@bitsleuth/billing-api-client";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { renderSVG } from "uqr";
import { dateTime, money, number } from "../format.js";
import { INVOICE_TONES, type InvoiceState } from "../invoice-states.js";
import { useBilling } from "../provider.js";
import { useQueries, useRefreshAll } from "../queries.js";
import { useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { CopyLine } from "../ui/CopyButton.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { Skeleton } from "../ui/Skeleton.js";
import { SellerLinks } from "./SellerLinks.js";

/** `skew` is how far the service's clock is ahead of ours, in milliseconds. */
type Invoice = Schemas["CryptoInvoice"] & { skew: number };

const POLL_MS = 3000;
/** When nothing is asked for any more, but money may still come. */
const LATE_POLL_MS = 15_000;

export type InvoiceId = { checkoutId: string } | { provider: string; purchaseId: string };

export interface CryptoInvoiceProps {
  /** A checkout that was just opened, or an invoice from before. */
  of: InvoiceId;
  /** The provider's own page for the same invoice. */
  url?: string | null;
  /** Called once, when the payment is settled. */
  onPaid?: () => void;
  /** Opens a new invoice when this one has expired; without it, the notice alone is shown. */
  onAgain?: () => void;
  /** Leaves an invoice that asks for nothing more; without it there is nothing to press. */
  onDone?: () => void;
}

/** A bitcoin invoice to pay: QR, amount and address to copy, time left on the service's clock, and every exception. */
export function CryptoInvoice({ of, url, onPaid, onAgain, onDone }: CryptoInvoiceProps) {
  const t = useT();
  const { client } = useBilling();
  const refreshAll = useRefreshAll();
  const queryFn = async (): Promise<Invoice> => {
    const read = await readInvoice(client, of);
    return { ...read, skew: Date.parse(read.server_time) - Date.now() };
  };
  const invoice = useQuery(
    {
      queryKey: ["invoice", of],
      queryFn,
      refetchInterval: ({ state: { data } }) =>
        !data?.invoice.watched && data ? false : !data || data.invoice.payable || data.invoice.state === "confirming" ? POLL_MS : LATE_POLL_MS,
    },
    useQueries(),
  );
  const left = useSecondsLeft(invoice.data);
  const state = invoice.data?.invoice.state;
  const reported = useRef(false);
  useEffect(() => {
    if (state !== "paid" || reported.current) return;
    reported.current = true;
    void refreshAll();
    onPaid?.();
  }, [state, refreshAll, onPaid]);

  // One that was read before stays when a later question fails: the next one is asked by itself.
  if (!invoice.data) {
    return invoice.isError ? <ErrorNotice error={invoice.error} onRetry={() => void invoice.refetch()} /> : <InvoiceSkeleton />;
  }
  const { payable: asked, again, state: now } = invoice.data.invoice;
  // Our clock may be a moment ahead of the next answer.
  const payable = asked && left > 0;
  const shown = asked && !payable ? (now === "waiting" ? "expired" : "held") : now;
  return (
    <div className="bsb bsb-stack">
      <InvoiceNotice state={shown} invoice={invoice.data} />
      {payable && <HowToPay invoice={invoice.data} left={left} url={url ?? invoice.data.url} />}
      {(again || shown === "expired") && onAgain && (
        <Button variant={now === "expired" ? "secondary" : "primary"} onClick={onAgain}>
          {t("invoice.again")}
        </Button>
      )}
      {!payable && onDone && (
        <Button variant={now === "paid" ? "primary" : "secondary"} onClick={onDone}>
          {t(now === "paid" ? "invoice.done" : "close")}
        </Button>
      )}
    </div>
  );
}

/** Whole seconds until an invoice expires, by the service's clock. */
function useSecondsLeft(invoice: Invoice | undefined): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return invoice ? Math.max(0, Math.floor((Date.parse(invoice.expires_at) - now - invoice.skew) / 1000)) : 0;
}

function readInvoice(client: Client, of: InvoiceId): Promise<Schemas["CryptoInvoice"]> {
  if ("checkoutId" in of) {
    const path = { checkout_id: of.checkoutId };
    return unwrap(client.GET("/billing/checkout-sessions/{checkout_id}/invoice", { params: { path } }));
  }
  const path = { provider: of.provider, purchase_id: of.purchaseId };
  return unwrap(client.GET("/billing/invoices/{provider}/{purchase_id}", { params: { path } }));
}

function InvoiceNotice({ state, invoice }: { state: InvoiceState; invoice: Invoice }) {
  const t = useT();
  const { locale } = useBilling();
  const { confirmed } = invoice;
  const count = invoice.confirmations ?? 1;
  const values = {
    btc: invoice.due_btc ?? "",
    price: money(invoice.amount_cents, invoice.currency, locale),
    count,
    // Of a provider that does not tell how many there are, nothing is claimed.
    seen: confirmed === null ? "" : t("invoice.confirming.seen", { confirmed: Math.min(confirmed, count), count }),
    received: money(invoice.received_cents, invoice.currency, locale),
  };
  if (state === "waiting") {
    return (
      <p className="bsb-row bsb-2 bsb-small bsb:justify-center" role="status">
        <span className="bsb-spinner" aria-hidden="true" />
        {t("invoice.waiting")}
      </p>
    );
  }
  return (
    <Notice tone={INVOICE_TONES[state]} title={t(`invoice.${state}`)} live>
      <p>{t(state === "confirming" && invoice.confirmations ? "invoice.confirming.count" : `invoice.${state}.about`, values)}</p>
      {invoice.claim_url && (
        <p className="bsb:mt-1">
          <a href={invoice.claim_url} target="_blank" rel="noreferrer">
            {t("invoice.claim")}
          </a>
        </p>
      )}
      {state === "paid" && invoice.surplus_cents > 0 && (
        <p className="bsb:mt-1">{t("invoice.surplus", { surplus: money(invoice.surplus_cents, invoice.currency, locale) })}</p>
      )}
      {(invoice.surplus_cents > 0 || ASKED.has(state)) && <SellerLinks only={["contact", "refunds"]} />}
    </Notice>
  );
}

/** What its buyer may want to ask a person about. */
const ASKED: ReadonlySet<InvoiceState> = new Set(["held", "returning", "disputed"]);

/** 0.00150000 -> "150,000 sats". */
function sats(btc: string, locale: string): string {
  return number(Math.round(Number(btc) * 1e8), locale);
}

function HowToPay({ invoice, left, url }: { invoice: Invoice; left: number; url: string | null | undefined }) {
  const t = useT();
  const { locale } = useBilling();
  const [lightning, setLightning] = useState(false);
  const target = (lightning && invoice.lightning) || invoice.bip21;
  // Upper case makes a Lightning QR denser, and is allowed there; a BIP21 link keeps its case.
  const encoded = lightning ? target?.toUpperCase() : target;
  const qr = useMemo(() => (encoded ? renderSVG(encoded, { border: 0, pixelSize: 4 }) : null), [encoded]);
  return (
    <>
      <div className="bsb-row bsb:flex-nowrap bsb:items-start">
        <div className="bsb:min-w-0 bsb:grow">
          {invoice.due_btc && <p className="bsb:text-xl bsb:font-semibold bsb-number">{t("invoice.amount", { btc: invoice.due_btc })}</p>}
          <p className={invoice.due_btc ? "bsb-2 bsb-small" : "bsb:text-xl bsb:font-semibold bsb-number"}>
            {invoice.due_btc && `${t("invoice.sats", { sats: sats(invoice.due_btc, locale) })} · `}
            {money(invoice.due_cents, invoice.currency, locale)}
          </p>
          {invoice.rate_cents !== null && (
            <p className="bsb-2 bsb-tiny">
              {t("invoice.rate", {
                rate: money(invoice.rate_cents, invoice.currency, locale, { exact: false }),
                time: dateTime(invoice.created_at, locale),
              })}
            </p>
          )}
        </div>
        <Countdown left={left} />
      </div>
      {invoice.lightning && invoice.bip21 && (
        <fieldset className="bsb-segments bsb:self-center">
          <legend className="bsb-hidden">{t("invoice.network")}</legend>
          {[false, true].map((choice) => (
            <label key={String(choice)}>
              <input type="radio" name="bsb-network" checked={lightning === choice} onChange={() => setLightning(choice)} />
              {t(choice ? "invoice.lightning" : "invoice.onchain")}
            </label>
          ))}
        </fieldset>
      )}
      {qr && (
        <figure
          className="bsb-qr bsb:self-center"
          role="img"
          aria-label={t(lightning && invoice.lightning ? "invoice.qr_lightning" : "invoice.qr", { btc: invoice.due_btc ?? "", address: invoice.address ?? "" })}
        >
          {/* Our own drawing of a code, from characters of a URI: no markup can come through. */}
          <div dangerouslySetInnerHTML={{ __html: qr }} />
        </figure>
      )}
      <div className="bsb-stack bsb-invoice-lines">
      {lightning && invoice.lightning ? (
        <Labelled label={t("invoice.lightning_invoice")} value={invoice.lightning} />
      ) : (
        <>
          {invoice.due_btc && <Labelled label={t("invoice.amount_label")} value={invoice.due_btc} shown={`${invoice.due_btc} BTC`} />}
          {invoice.address && <Labelled label={t("invoice.address")} value={invoice.address} />}
        </>
      )}
      </div>
      {target && (
        <ButtonLink href={lightning ? `lightning:${target}` : target} variant="primary">
          {t("invoice.open_wallet")}
        </ButtonLink>
      )}
      {url && (
        <ButtonLink href={url} variant={target ? "ghost" : "primary"}>
          {t(target ? "invoice.provider_page" : "invoice.provider_page_only")}
        </ButtonLink>
      )}
    </>
  );
}

function Labelled({ label, value, shown }: { label: string; value: string; shown?: string }) {
  return (
    <div className="bsb-field">
      <span className="bsb-label">{label}</span>
      <CopyLine value={value} what={label} {...(shown ? { shown } : {})} />
    </div>
  );
}

/** Time left by the service's clock; read out at five and one minutes, not every second. */
function Countdown({ left }: { left: number }) {
  const t = useT();
  const minutes = Math.floor(left / 60);
  const announce = left % 60 === 0 && (minutes === 5 || minutes === 1);
  return (
    <div className="bsb:text-end bsb:whitespace-nowrap">
      <p className="bsb:text-xl bsb:font-semibold bsb-number" role="timer" aria-label={t("invoice.time_left")}>
        {minutes}:{String(left % 60).padStart(2, "0")}
      </p>
      <p className="bsb-2 bsb-small">{t("invoice.time_left")}</p>
      <span className="bsb-hidden" role="status">
        {announce ? t("invoice.minutes_left", { count: minutes }) : ""}
      </span>
    </div>
  );
}

/** As high as what it stands in for: the dialog must not grow under a finger. */
function InvoiceSkeleton() {
  return (
    <div className="bsb bsb-stack bsb:items-center" aria-busy="true">
      <Skeleton width="9rem" height="1.25rem" />
      <Skeleton height="4.25rem" />
      <Skeleton width="12.75rem" height="2.625rem" />
      <Skeleton width="13rem" height="13rem" />
      <Skeleton height="10.125rem" />
      <Skeleton height="2.5rem" />
      <Skeleton height="2.5rem" />
    </div>
  );
}
