import { Button, Dialog, ErrorNotice, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Field } from "./parts.js";
import { useGrant } from "./queries.js";
import { useAdminText } from "./text.js";

/** Gives a feature by hand, with a reason and perhaps an end. */
export function GrantDialog({ userId, onClose }: { userId: string; onClose: () => void }) {
  const t = useAdminText();
  const grant = useGrant(userId);
  const known = usePlans().data?.features ?? [];
  const [feature, setFeature] = useState("");
  const [amount, setAmount] = useState("");
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const kind = known.find((info) => info.feature === feature)?.kind ?? "switch";
  const value = kind === "switch" ? true : kind === "number" ? Number(amount) : { limit: Number(amount), per: "month" as const };
  const submit = () =>
    grant.mutate(
      {
        features: { [feature]: value },
        reason,
        // To the end of that day where the admin is: the page then shows the day that was chosen.
        expires_at: until ? Math.floor(Date.parse(`${until}T23:59:59`) / 1000) : null,
      },
      { onSuccess: onClose },
    );
  return (
    <Dialog onClose={onClose} title={t("grant")} description={t("grant.about")}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field id="grant-feature" label={t("feature")}>
          {(field) => (
            <select {...field} className="bsb-input" required value={feature} onChange={(event) => setFeature(event.target.value)}>
              <option value="">{t("choose")}</option>
              {known.map((info) => (
                <option key={info.feature} value={info.feature}>
                  {info.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        {kind !== "switch" && (
          <Field id="grant-amount" label={t(kind === "number" ? "kind.number" : "kind.month")}>
            {(field) => <input {...field} className="bsb-input" type="number" required min={1} max={1_000_000_000} value={amount} onChange={(event) => setAmount(event.target.value)} />}
          </Field>
        )}
        <Field id="grant-reason" label={t("reason")}>
          {(field) => <input {...field} className="bsb-input" required maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />}
        </Field>
        <Field id="grant-until" label={t("grant.until")}>
          {(field) => <input {...field} className="bsb-input" type="date" value={until} onChange={(event) => setUntil(event.target.value)} />}
        </Field>
        {grant.isError && <ErrorNotice error={grant.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="primary" busy={grant.isPending}>
            {t("grant")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
