"use client";

import { unwrap, type Client, type Schemas } from "@bitsleuth/billing-api-client";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { renderSVG } from "uqr";
import { money } from "../format.js";
import type { MessageKey } from "../i18n.js";
import { useBilling } from "../provider.js";
import { useQueries, useRefreshAll } from "../queries.js";
import { useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { CopyLine } from "../ui/CopyButton.js";
import { ErrorNotice, Notice, type Tone } from "../ui/Notice.js";
import { Skeleton } from "../ui/Skeleton.js";

/** `skew` is how far the service's clock is ahead of ours, in milliseconds. */
type Invoice = Schemas["CryptoInvoice"] & { skew: number };

const FINAL = new Set(["paid", "failed", "paid_late", "refunded"]);
const POLL_MS = 3000;

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
      refetchInterval: ({ state }) => (state.data && FINAL.has(state.data.status) ? false : POLL_MS),
    },
    useQueries(),
  );
  const left = useSecondsLeft(invoice.data);
  const status = invoice.data?.status;
  const told = useRef(false);
  useEffect(() => {
    if (status !== "paid" || told.current) return;
    told.current = true;
    void refreshAll();
    onPaid?.();
  }, [status, refreshAll, onPaid]);

  // One that was read before stays when a later question fails: the next one is asked by itself.
  if (!invoice.data) {
    return invoice.isError ? <ErrorNotice error={invoice.error} onRetry={() => void invoice.refetch()} /> : <InvoiceSkeleton />;
  }
  const open = status === "pending" || status === "underpaid";
  const payable = open && left > 0;
  return (
    <div className="bsb bsb-stack">
      {open && !payable ? (
        <Notice tone="warn" title={t("invoice.time_up")} live>
          {t("invoice.time_up.about")}
        </Notice>
      ) : (
        <StatusNotice invoice={invoice.data} />
      )}
      {payable && <HowToPay invoice={invoice.data} left={left} url={url ?? invoice.data.url} />}
      {(status === "failed" || (open && !payable)) && onAgain && (
        <Button variant="primary" onClick={onAgain}>
          {t("invoice.again")}
        </Button>
      )}
      {!open && status !== "failed" && onDone && (
        <Button variant={status === "paid" ? "primary" : "secondary"} onClick={onDone}>
          {t(status === "paid" ? "invoice.done" : "close")}
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

function StatusNotice({ invoice }: { invoice: Invoice }) {
  const t = useT();
  const { locale } = useBilling();
  const tones: Readonly<Record<string, Tone>> = {
    processing: "plain",
    paid: "good",
    underpaid: "warn",
    paid_late: "warn",
    failed: "bad",
    refunded: "plain",
  };
  const tone = tones[invoice.status];
  if (!tone) return null;
  const values = { btc: invoice.due_btc ?? "", price: money(invoice.amount_cents, invoice.currency, locale) };
  return (
    <Notice tone={tone} title={t(`invoice.${invoice.status}` as MessageKey)} live>
      {t(`invoice.${invoice.status}.about` as MessageKey, values)}
      {invoice.status === "paid" && invoice.surplus_cents > 0 && (
        <p className="bsb:mt-1">{t("invoice.surplus", { surplus: money(invoice.surplus_cents, invoice.currency, locale) })}</p>
      )}
    </Notice>
  );
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
      <div className="bsb-row bsb-between">
        <div>
          {invoice.due_btc && <p className="bsb:text-xl bsb:font-semibold bsb-number">{t("invoice.amount", { btc: invoice.due_btc })}</p>}
          <p className={invoice.due_btc ? "bsb-2 bsb-small" : "bsb:text-xl bsb:font-semibold bsb-number"}>
            {money(invoice.due_cents, invoice.currency, locale)}
          </p>
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
        <figure className="bsb-qr bsb:self-center" role="img" aria-label={t("invoice.qr")}>
          {/* Our own drawing of a code, from characters of a URI: no markup can come through. */}
          <div dangerouslySetInnerHTML={{ __html: qr }} />
        </figure>
      )}
      {lightning && invoice.lightning ? (
        <Labelled label={t("invoice.lightning_invoice")} value={invoice.lightning} />
      ) : (
        <>
          {invoice.due_btc && <Labelled label={t("invoice.amount_label")} value={invoice.due_btc} shown={`${invoice.due_btc} BTC`} />}
          {invoice.address && <Labelled label={t("invoice.address")} value={invoice.address} />}
        </>
      )}
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
    <div className="bsb:text-end">
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

function InvoiceSkeleton() {
  return (
    <div className="bsb bsb-stack bsb:items-center" aria-busy="true">
      <Skeleton height="3rem" />
      <Skeleton width="13rem" height="13rem" />
      <Skeleton height="3rem" />
      <Skeleton height="3rem" />
    </div>
  );
}
