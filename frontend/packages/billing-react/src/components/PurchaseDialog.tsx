"use client";

import { ApiError, type Schemas } from "@bitsleuth/billing-api-client";
import { useEffect, useRef, useState } from "react";
import { date, money, type Plan } from "../format.js";
import { useBilling, useUserId } from "../provider.js";
import { useOpenCheckout, useProviders, useTrack } from "../queries.js";
import { billingKeySigner, hasBillingKey } from "../signers/index.js";
import { useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { InvoiceDialog } from "./InvoiceDialog.js";
import { SignIn } from "./SignIn.js";

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
  const { session, signer } = useBilling();
  const signedIn = useUserId() !== null;
  const [provider, setProvider] = useState(plan.providers[0] ?? "");
  const [ownIdentity, setOwnIdentity] = useState(false);
  const [invoice, setInvoice] = useState<Schemas["CheckoutSession"] | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [agreed, setAgreed] = useState(false);
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
  const overlap = codeOf(failure) === "overlap";
  const checkout = useOpenCheckout();
  const { isBitcoin } = useProviders();
  const track = useTrack();

  async function proceed() {
    setBusy(true);
    if (!overlap) setFailure(null);
    try {
      if (!signedIn) await session.signIn(signer ?? (await billingKeySigner()));
      track({ event: "checkout_started", plan_id: plan.plan_id });
      const opened = await checkout.mutateAsync({
        plan_id: plan.plan_id,
        provider: provider as Rail,
        ...(overlap && agreed ? { accept_overlap: true } : {}),
      });
      // Who closed the dialog meanwhile is not sent to a checkout any more.
      if (!open.current) return;
      if (isBitcoin(opened.provider)) setInvoice(opened);
      else return onRedirect(opened.url);
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  }

  if (invoice) {
    const of = { checkoutId: invoice.checkout_id };
    return <InvoiceDialog of={of} url={invoice.url} plan={plan.name} onAgain={() => setInvoice(null)} onClose={onClose} />;
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
    <Dialog onClose={onClose} title={t("purchase.title", { plan: plan.name })}>
      <Summary plan={plan} prepaid={isBitcoin(provider)} />
      <Rails
        plan={plan}
        value={provider}
        onChange={(next) => {
          setProvider(next);
          setFailure(null);
          setAgreed(false);
        }}
      />
      {!signedIn && (
        <p className="bsb-small bsb-2">
          {t(signer ? "purchase.host_key" : hasBillingKey() ? "purchase.this_key" : "purchase.no_account")}{" "}
          <button type="button" className="bsb-link" onClick={() => setOwnIdentity(true)}>
            {t("purchase.own_key")}
          </button>
        </p>
      )}
      {overlap ? (
        <Overlap error={failure} bitcoin={isBitcoin(provider)} agreed={agreed} onAgree={setAgreed} />
      ) : (
        failure !== null && <ErrorNotice error={failure} />
      )}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("cancel")}</Button>
        {["already_subscribed", "already_purchased"].includes(codeOf(failure)) ? (
          <ButtonLink href={accountUrl} variant="primary">
            {t("pricing.manage")}
          </ButtonLink>
        ) : (
          <Button variant="primary" busy={busy} disabled={provider === "" || (overlap && !agreed)} onClick={() => void proceed()}>
            {t("purchase.continue")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}

type Rail = NonNullable<Schemas["CreateCheckoutSession"]["provider"]>;

const codeOf = (error: unknown) => (error instanceof ApiError ? error.code : "");

interface OverlapProps {
  error: unknown;
  bitcoin: boolean;
  agreed: boolean;
  onAgree: (agreed: boolean) => void;
}

/** Card and bitcoin would be paid side by side: allowed, but not unawares. */
function Overlap({ error, bitcoin, agreed, onAgree }: OverlapProps) {
  const t = useT();
  const { locale } = useBilling();
  const end = (error as ApiError).problem.ends_at as string;
  return (
    <>
      <Notice tone="warn" live title={t("purchase.overlap")}>
        {t(bitcoin ? "purchase.overlap_card" : "purchase.overlap_prepaid", { date: date(end, locale) })}
      </Notice>
      <label className="bsb-check">
        <input type="checkbox" checked={agreed} onChange={(event) => onAgree(event.target.checked)} />
        <span>{t("purchase.overlap_agree")}</span>
      </label>
    </>
  );
}

function Summary({ plan, prepaid }: { plan: Plan; prepaid: boolean }) {
  const t = useT();
  const { locale } = useBilling();
  const [now] = useState(() => Date.now());
  const price = money(plan.price_cents, plan.currency, locale);
  const trial = plan.trial_days > 0 && !prepaid && plan.interval !== "once";
  const firstCharge = date(now + plan.trial_days * 86_400_000, locale);
  return (
    <dl className="bsb-facts">
      <dt>{t(`purchase.price_${plan.interval}`)}</dt>
      <dd>{price}</dd>
      {trial && (
        <>
          <dt>{t("purchase.trial", { count: plan.trial_days })}</dt>
          <dd>−{price}</dd>
        </>
      )}
      <dt className="bsb-facts-total">{t("purchase.due_today")}</dt>
      <dd className="bsb-facts-total">{trial ? money(0, plan.currency, locale) : price}</dd>
      {trial && (
        <>
          <dt>{t("purchase.first_charge", { date: firstCharge })}</dt>
          <dd>{price}</dd>
        </>
      )}
    </dl>
  );
}

/** The default first, and beside it what pays the same way. */
function railByRail(providers: readonly string[], isBitcoin: (provider: string) => boolean): string[] {
  const first = isBitcoin(providers[0] ?? "");
  return [...providers].sort((a, b) => Number(isBitcoin(a) !== first) - Number(isBitcoin(b) !== first));
}

/** Card or bitcoin, with what each means in plain words. */
function Rails({ plan, value, onChange }: { plan: Plan; value: string; onChange: (provider: string) => void }) {
  const t = useT();
  const { titleOf, isBitcoin } = useProviders();
  const consequence = (provider: string) => {
    if (plan.interval === "once") return isBitcoin(provider) ? "rail.bitcoin_once" : "rail.card_once";
    return isBitcoin(provider) ? "rail.bitcoin_term" : "rail.card_renews";
  };
  if (plan.providers.length === 0) return <p className="bsb-small bsb-2">{t("purchase.not_sold")}</p>;
  const several = (provider: string) => plan.providers.filter((other) => isBitcoin(other) === isBitcoin(provider)).length > 1;
  return (
    <fieldset className="bsb-stack bsb:gap-2">
      <legend className="bsb-label bsb:mb-2">{t("purchase.pay_with")}</legend>
      {railByRail(plan.providers, isBitcoin).map((provider) => (
        <label key={provider} className="bsb-choice">
          <input type="radio" name="bsb-rail" checked={provider === value} onChange={() => onChange(provider)} />
          <span className="bsb:grow">
            <span className="bsb-row bsb-between bsb:font-medium">
              {t(isBitcoin(provider) ? "rail.bitcoin" : "rail.card")}
              {several(provider) && <span className="bsb-badge">{titleOf(provider)}</span>}
            </span>
            <span className="bsb-2 bsb-small">{t(consequence(provider), { interval: t(`interval.${plan.interval}`) })}</span>
          </span>
          <Icon name={isBitcoin(provider) ? "bitcoin" : "card"} size={20} />
        </label>
      ))}
    </fieldset>
  );
}
