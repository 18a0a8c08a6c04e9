"use client";

import { ApiError, type Schemas } from "@bitsleuth/billing-api-client";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import type { Plan } from "../format.js";
import { useBilling, useUserId } from "../provider.js";
import { useOpenCheckout, useQuotes, useRefreshAll, useTrack } from "../queries.js";
import { hasBillingKey, signerOf } from "../signers/index.js";
import { usePlanName, useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { SkeletonLines } from "../ui/Skeleton.js";
import { InvoiceDialog } from "./InvoiceDialog.js";
import { Rails } from "./Rails.js";
import { AGREED, SellerLinks } from "./SellerLinks.js";
import { SignIn } from "./SignIn.js";
import { Overlap, Terms } from "./Terms.js";

const WalletOffer = lazy(() => import("../wallet/WalletOffer.js"));

export interface PurchaseDialogProps {
  plan: Plan;
  onClose: () => void;
  /** Leaves for the hosted checkout; default: in this tab. */
  onRedirect?: (url: string) => void;
  /** Where what one has already can be changed. */
  accountUrl?: string;
}

/** What is bought, what it costs, how it is paid; then on to the hosted checkout, or to a bitcoin invoice right here. */
export function PurchaseDialog(props: PurchaseDialogProps) {
  const { plan, onClose, onRedirect = (url) => location.assign(url), accountUrl = "/account/billing" } = props;
  const t = useT();
  const name = usePlanName()({ plan_name: plan.name, interval: plan.interval });
  const { session, signer } = useBilling();
  const signedIn = useUserId() !== null;
  const offered = useQuotes();
  const quote = offered.quotes?.get(plan.plan_id);
  const [provider, setProvider] = useState<string | null>(null);
  const rail = quote?.rails.find((candidate) => candidate.provider === provider) ?? quote?.rails[0];
  const [ownIdentity, setOwnIdentity] = useState(false);
  const [invoice, setInvoice] = useState<Schemas["CheckoutSession"] | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [connecting, setConnecting] = useState(false);
  const [agreed, setAgreed] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const open = useRef(false);
  useEffect(() => {
    open.current = true;
    // Back from the checkout, the browser may show this page just as it was left: busy.
    const onBack = ({ persisted }: PageTransitionEvent) => persisted && setBusy(false);
    addEventListener("pageshow", onBack);
    return () => {
      open.current = false;
      removeEventListener("pageshow", onBack);
    };
  }, []);
  const checkout = useOpenCheckout();
  const refreshAll = useRefreshAll();
  const track = useTrack();
  const outdated = STALE.has(codeOf(failure));
  // Agreed is to these terms, and to no others.
  const consented = rail?.overlap == null || agreed === rail.quote_id;

  async function proceed() {
    if (!rail) return;
    setBusy(true);
    setFailure(null);
    try {
      if (!signedIn) await session.signIn(await signerOf(session.ended, signer));
      track({ event: "checkout_started", plan_id: plan.plan_id });
      const opened = await checkout.mutateAsync({
        plan_id: plan.plan_id,
        provider: rail.provider as Provider,
        quote_id: rail.quote_id,
        ...(rail.overlap ? { accept_overlap: true } : {}),
      });
      // Who closed the dialog meanwhile is not sent to a checkout any more.
      if (!open.current) return;
      if (rail.rail === "bitcoin") setInvoice(opened);
      else return onRedirect(opened.url);
    } catch (error) {
      setFailure(error);
      if (STALE.has(codeOf(error))) await refreshAll();
    }
    setBusy(false);
  }

  if (invoice) {
    const of = { checkoutId: invoice.checkout_id };
    return <InvoiceDialog of={of} url={invoice.url} plan={name} onAgain={() => setInvoice(null)} onClose={onClose} />;
  }
  if (ownIdentity && !signedIn) {
    return (
      <Dialog onClose={onClose} title={t("signin.title")} description={t("signin.about")}>
        <SignIn existing />
        <div className="bsb-dialog-actions">
          <Button variant="ghost" onClick={() => setOwnIdentity(false)}>
            {t("back")}
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog onClose={onClose} title={t("purchase.title", { plan: name })}>
      {outdated && <Notice tone="warn" live>{t("error.quote_outdated")}</Notice>}
      {rail ? (
        <>
          <Terms plan={plan} quote={rail} />
          <Rails interval={plan.interval} rails={quote?.rails ?? []} value={rail} onChange={(next) => setProvider(next.provider)} />
        </>
      ) : quote ? (
        <NotForSale move={quote.move} />
      ) : offered.error ? (
        <ErrorNotice error={offered.error} onRetry={offered.refetch} />
      ) : (
        <SkeletonLines lines={6} />
      )}
      {rail && !signedIn && (
        <p className="bsb-small bsb-2">
          {t(signer ? "purchase.host_key" : hasBillingKey() ? "purchase.this_key" : "purchase.no_account")}{" "}
          <button type="button" className="bsb-link" onClick={() => setOwnIdentity(true)}>
            {t("purchase.own_key")}
          </button>
        </p>
      )}
      {rail?.overlap && (
        <Overlap overlap={rail.overlap} agreed={consented} onAgree={(yes) => setAgreed(yes ? rail.quote_id : null)} />
      )}
      {failure !== null && !outdated && <ErrorNotice error={failure} />}
      {rail && <SellerLinks only={AGREED} />}
      {rail?.rail === "bitcoin" && !rail.renews && signedIn && plan.interval !== "once" && (
        <Suspense>
          <WalletOffer plan={plan} open={connecting} onOpen={setConnecting} />
        </Suspense>
      )}
      {!connecting && (
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          {quote && !rail && quote.move !== "buy" ? (
            <ButtonLink href={accountUrl} variant="primary">
              {t("pricing.manage")}
            </ButtonLink>
          ) : (
            rail && (
              <Button variant="primary" busy={busy} disabled={!consented} onClick={() => void proceed()}>
                {t("purchase.continue")}
              </Button>
            )
          )}
        </div>
      )}
    </Dialog>
  );
}

type Provider = NonNullable<Schemas["CreateCheckoutSession"]["provider"]>;

const codeOf = (error: unknown) => (error instanceof ApiError ? error.code : "");

/** What the service refuses because the buyer's account is not what the quote was made for. */
const STALE: ReadonlySet<string> = new Set([
  "quote_outdated",
  "overlap",
  "already_subscribed",
  "already_purchased",
  "payment_on_its_way",
]);

function NotForSale({ move }: { move: Schemas["PlanQuote"]["move"] }) {
  const t = useT();
  if (move === "owned") return <p className="bsb-2">{t("error.already_purchased")}</p>;
  return <p className="bsb-2">{t(move === "buy" || move === "free" ? "purchase.not_sold" : "error.already_subscribed")}</p>;
}
