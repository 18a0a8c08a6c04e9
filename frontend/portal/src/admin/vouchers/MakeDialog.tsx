import { Button, Dialog, ErrorNotice, NotRead, useBilling, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { minorOf } from "../money.js";
import { offersFrom } from "../offer.js";
import { Field } from "../parts.js";
import { useAdminPlans } from "../queries.js";
import { useAdminText } from "../text.js";
import { useMakeVouchers } from "./queries.js";
import { useVouchersText } from "./texts.js";

/** A batch: what each gives, how many, until when, and what they were sold for. */
export function MakeDialog({ onClose, onMade }: { onClose: () => void; onMade: (batchId: string) => void }) {
  const t = useVouchersText();
  const common = useAdminText();
  const { locale } = useBilling();
  const make = useMakeVouchers();
  // One intent, one key: a lost answer makes no second batch.
  const [key] = useState(() => crypto.randomUUID());
  const adminPlans = useAdminPlans();
  const catalogue = usePlans();
  const plans = offersFrom(adminPlans.data?.plans ?? [])
    .flatMap((offer) => offer.plans)
    .filter((plan) => plan.status !== "archived" && plan.price_cents > 0);
  const counted = (catalogue.data?.features ?? []).filter((info) => info.kind === "allowance");
  const [kind, setKind] = useState<"plan" | "credits">("plan");
  const [planId, setPlanId] = useState("");
  const [intervals, setIntervals] = useState("1");
  const [feature, setFeature] = useState("");
  const [amount, setAmount] = useState("100");
  const [count, setCount] = useState("10");
  const [price, setPrice] = useState("");
  const [currency, setCurrency] = useState("USD");
  const [until, setUntil] = useState("");
  const [note, setNote] = useState("");
  const plan = plans.find((candidate) => candidate.plan_id === planId);
  const soldIn = kind === "plan" ? plan?.currency : currency;
  const sold = price.trim() === "" ? 0 : minorOf(price, soldIn ?? currency);
  const submit = () =>
    make.mutate(
      {
        ...(kind === "plan"
          ? { plan_id: planId, intervals: plan?.interval === "once" ? 1 : Number(intervals), currency: "" }
          : { credits: { feature, amount: Number(amount) }, intervals: 1, currency: sold ? currency : "" }),
        count: Number(count),
        sold_cents: sold ?? 0,
        expires_at: until ? Math.floor(Date.parse(`${until}T23:59:59`) / 1000) : null,
        note,
        idempotency_key: key,
      },
      { onSuccess: (made) => onMade(made.batch_id) },
    );
  return (
    <Dialog onClose={onClose} title={t("make")} description={t("about")}>
      <form
        className="bsb-stack"
        lang={locale}
        onSubmit={(event) => {
          event.preventDefault();
          if (sold !== null) submit();
        }}
      >
        <NotRead of={kind === "plan" ? adminPlans : catalogue} />
        <fieldset className="bsb-row">
          <legend className="bsb-label bsb:mb-2">{t("gives")}</legend>
          {(["plan", "credits"] as const).map((each) => (
            <label key={each} className="bsb-check">
              <input type="radio" name="voucher-kind" checked={kind === each} onChange={() => setKind(each)} />
              <span>{t(`gives.${each}`)}</span>
            </label>
          ))}
        </fieldset>
        {kind === "plan" ? (
          <>
            <Field id="voucher-plan" label={t("plan")}>
              {(field) => (
                <select {...field} className="bsb-input" required value={planId} onChange={(event) => setPlanId(event.target.value)}>
                  <option value="">{common("choose")}</option>
                  {plans.map(({ plan_id, name }) => (
                    <option key={plan_id} value={plan_id}>
                      {name} ({plan_id})
                    </option>
                  ))}
                </select>
              )}
            </Field>
            {plan?.interval !== "once" && (
              <Field id="voucher-intervals" label={t("intervals")}>
                {(field) => <input {...field} className="bsb-input" type="number" required min={1} max={36} value={intervals} onChange={(event) => setIntervals(event.target.value)} />}
              </Field>
            )}
          </>
        ) : (
          <>
            <Field id="voucher-feature" label={t("feature")}>
              {(field) => (
                <select {...field} className="bsb-input" required value={feature} onChange={(event) => setFeature(event.target.value)}>
                  <option value="">{common("choose")}</option>
                  {counted.map((info) => (
                    <option key={info.feature} value={info.feature}>
                      {info.name}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <Field id="voucher-amount" label={t("amount")}>
              {(field) => <input {...field} className="bsb-input" type="number" required min={1} max={1_000_000} value={amount} onChange={(event) => setAmount(event.target.value)} />}
            </Field>
          </>
        )}
        <Field id="voucher-count" label={t("many")}>
          {(field) => <input {...field} className="bsb-input" type="number" required min={1} max={1000} value={count} onChange={(event) => setCount(event.target.value)} />}
        </Field>
        <Field id="voucher-price" label={[t("price"), soldIn && `(${soldIn})`].filter(Boolean).join(" ")} hint={t("price.hint")} fault={sold === null ? common("problem.price") : undefined}>
          {(field) => <input {...field} className="bsb-input" inputMode="decimal" maxLength={12} value={price} onChange={(event) => setPrice(event.target.value)} />}
        </Field>
        {kind === "credits" && (
          <Field id="voucher-currency" label={t("currency")}>
            {(field) => <input {...field} className="bsb-input" required pattern="[A-Z]{3}" maxLength={3} value={currency} onChange={(event) => setCurrency(event.target.value.toUpperCase())} />}
          </Field>
        )}
        <Field id="voucher-until" label={t("expires")}>
          {(field) => <input {...field} className="bsb-input" type="date" value={until} onChange={(event) => setUntil(event.target.value)} />}
        </Field>
        <Field id="voucher-note" label={t("note")} hint={t("note.hint")}>
          {(field) => <input {...field} className="bsb-input" required maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />}
        </Field>
        {make.isError && <ErrorNotice error={make.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button type="submit" variant="primary" busy={make.isPending}>
            {t("make")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
