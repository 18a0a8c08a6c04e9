"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useState, type FormEvent } from "react";
import { InvoiceDialog } from "../components/InvoiceDialog.js";
import { Rails } from "../components/Rails.js";
import { AGREED, SellerLinks } from "../components/SellerLinks.js";
import { money } from "../format.js";
import { useBilling, useUserId } from "../provider.js";
import { useOpenCheckout, usePlans, useProviders } from "../queries.js";
import { signerOf } from "../signers/index.js";
import { usePlanName, useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice } from "../ui/Notice.js";
import { SkeletonLines } from "../ui/Skeleton.js";
import { GiftToPass } from "./GiftReady.js";
import { useVoucherText } from "./texts.js";

type Provider = NonNullable<Schemas["CreateCheckoutSession"]["provider"]>;

/** Which plan, and how it is paid: then to the hosted checkout, or to a bitcoin invoice right here. */
export function GiftDialog({ onClose }: { onClose: () => void }) {
  const t = useVoucherText();
  const common = useT();
  const named = usePlanName();
  const { locale, session, signer } = useBilling();
  const signedIn = useUserId() !== null;
  const plans = usePlans();
  const { railOf } = useProviders();
  const sold = plans.data?.plans.filter((plan) => plan.price_cents > 0 && plan.providers.length > 0) ?? [];
  const [planId, setPlanId] = useState("");
  const plan = sold.find((candidate) => candidate.plan_id === planId) ?? sold[0];
  const [chosen, setChosen] = useState("");
  const ways = plan?.providers.map((provider) => ({ provider, rail: railOf(provider) ?? ("card" as const) })) ?? [];
  const way = ways.find(({ provider }) => provider === chosen) ?? ways[0];
  const [failure, setFailure] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [invoice, setInvoice] = useState<Schemas["CheckoutSession"] | null>(null);
  const [paid, setPaid] = useState(false);
  const checkout = useOpenCheckout();

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!plan || !way) return;
    setBusy(true);
    setFailure(null);
    try {
      if (!signedIn) await session.signIn(await signerOf(session.ended, signer));
      const opened = await checkout.mutateAsync({ plan_id: plan.plan_id, provider: way.provider as Provider, gift: true });
      if (way.rail !== "bitcoin") return location.assign(opened.url);
      setInvoice(opened);
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  }

  if (invoice && paid) {
    return (
      <Dialog onClose={onClose} title={t("ready.title")} prints>
        <GiftToPass checkoutId={invoice.checkout_id} />
      </Dialog>
    );
  }
  if (invoice && plan) {
    const of = { checkoutId: invoice.checkout_id };
    const again = () => setInvoice(null);
    return (
      <InvoiceDialog of={of} url={invoice.url} plan={t("gift.of", { plan: plan.name })} onAgain={again} onPaid={() => setPaid(true)} onClose={onClose} />
    );
  }
  return (
    <Dialog onClose={onClose} title={t("gift")} description={t("gift.about")}>
      {plans.isPending && <SkeletonLines lines={4} />}
      {plans.isError && <ErrorNotice error={plans.error} onRetry={() => void plans.refetch()} />}
      {plans.data && !plan && <p className="bsb-2">{t("gift.none")}</p>}
      {plan && (
        <form className="bsb-stack" onSubmit={(event) => void submit(event)}>
          <div className="bsb-field">
            <label className="bsb-label" htmlFor="bsb-gift-plan">
              {t("gift.plan")}
            </label>
            <select id="bsb-gift-plan" className="bsb-input" value={plan.plan_id} onChange={(event) => setPlanId(event.target.value)}>
              {sold.map((each) => (
                <option key={each.plan_id} value={each.plan_id}>
                  {named({ plan_name: each.name, interval: each.interval })} · {money(each.price_cents, each.currency, locale)}
                </option>
              ))}
            </select>
          </div>
          {way && <Rails interval="once" rails={ways} value={way} onChange={(next) => setChosen(next.provider)} />}
          <p className="bsb-2 bsb-small">{t("gift.private")}</p>
          {!signedIn && !signer && <p className="bsb-2 bsb-small">{t("new_key")}</p>}
          {failure !== null && <ErrorNotice error={failure} />}
          <SellerLinks only={AGREED} />
          <div className="bsb-dialog-actions">
            <Button onClick={onClose}>{common("cancel")}</Button>
            <Button type="submit" variant="primary" busy={busy}>
              {t("gift.continue")}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
